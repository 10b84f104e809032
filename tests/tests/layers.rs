//! Who may name whom: docs/ARCHITECTURE.md, as a test.

mod circles;
mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The production part of a source file: what stands before its tests.
fn production(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn sources(package: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(package).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    // Compiled for unit tests only; replay's sample.rs makes tapes for them.
    found.retain(|path| !["sample", "tests"].contains(&stem(path)));
    found
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn none_names(paths: impl IntoIterator<Item = PathBuf>, words: &[&str]) {
    let mut looked = 0;
    for path in paths {
        looked += 1;
        let text = production(&path);
        for word in words {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
    assert!(looked > 0, "nothing to look at");
}

#[test]
fn broker_and_replay_never_name_each_other() {
    none_names(sources("broker"), &["bg_replay"]);
    none_names(sources("replay"), &["bg_broker"]);
    let programs = ["bg_broker", "bg_replay", "bg_cli", "bg_aws", "aws_sdk"];
    none_names(sources("recorder"), &programs);
    none_names(sources("recorder"), &["bg_relay"]);
    none_names(sources("relay"), &programs);
    none_names(sources("aws"), &["bg_broker", "bg_replay", "bg_cli"]);
    none_names(sources("cli"), &["bg_broker", "bg_replay", "bg_aws"]);
}

#[test]
fn the_pure_core_names_no_file_no_clock_no_thread() {
    let format = |path: &PathBuf| path.parent().unwrap().ends_with("format");
    let files = sources("recorder").into_iter().filter(format);
    none_names(
        files,
        &[
            "std::fs",
            "std::net",
            "std::env",
            "std::thread",
            "rustix",
            "crate::clock",
            "tokio",
            "SystemTime",
        ],
    );
}

#[test]
fn approvals_are_judged_from_bytes_alone() {
    let files = sources("recorder").into_iter().filter(|path| {
        let approval = |dir: &Path| dir.ends_with("approval");
        stem(path) == "approval" || path.ancestors().any(approval)
    });
    let words = [
        "std::fs",
        "std::net",
        "std::env",
        "std::thread",
        "rustix",
        "Clock",
        "SystemTime",
        "tokio",
        "Secret",
    ];
    none_names(files, &words);
}

#[test]
fn who_records_never_opens() {
    let opens = ["KeyOpener", "KmsOpener", "LocalOpener", "kms_open", ".decrypt("];
    none_names(sources("broker").into_iter().chain(sources("relay")), &opens);
    let aws = sources("aws").into_iter().filter(|path| !matches!(stem(path), "kms_open" | "lib"));
    none_names(aws, &opens);
}

#[test]
fn nothing_deletes_evidence() {
    none_names(
        sources("aws"),
        &["delete_object", "delete_bucket", "put_object_retention", "copy_object"],
    );
    none_names(
        sources("recorder").into_iter().filter(|path| path.parent().unwrap().ends_with("store")),
        &["fn delete", "fn remove"],
    );
}

#[test]
fn shipping_never_holds_a_key() {
    let files = sources("recorder").into_iter().filter(|path| stem(path) == "ship");
    none_names(files, &["crate::keys", "Secret", "SessionKey", "Ratchet", "Sealer"]);
}

#[test]
fn verification_names_no_key_service_no_clock_and_no_terminal() {
    let files = sources("recorder")
        .into_iter()
        .filter(|path| stem(path) == "verify" || path.parent().unwrap().ends_with("verify"));
    none_names(files, &["KeyService", "KeyOpener", "SystemClock", "Clock;", "rustix", "Secret"]);
}

#[test]
fn the_relay_opens_nothing_and_starts_no_process() {
    let words = ["std::fs", "std::net", "std::process", "rustix::stdio", "rustix::fs", "println!"];
    none_names(sources("relay"), &words);
}

#[test]
fn the_environment_is_read_by_the_command_lines_only() {
    for package in ["broker", "relay", "recorder", "replay", "aws", "cli"] {
        let files = sources(package)
            .into_iter()
            .filter(|path| !matches!(stem(path), "cli" | "environment" | "main"));
        none_names(files, &["env::var", "env::vars"]);
    }
}

/// What a person reads is neutral and survives an output that takes nothing, because one crate writes it: clippy
/// refuses `println!` and its like, and this the handles that they stand for.
#[test]
fn both_outputs_are_written_in_one_place() {
    for path in ["broker", "relay", "recorder", "replay", "aws"].into_iter().flat_map(sources) {
        // A descriptor is asked for its terminal here and there; nothing is printed through it.
        let text = production(&path).replace("rustix::stdio::", "");
        let imports = text.lines().filter(|line| line.starts_with("use std::io"));
        let named = imports.chain(text.lines().filter(|line| line.contains("io::std")));
        for line in named {
            let handle = line.contains("stdout") || line.contains("stderr");
            assert!(!handle, "{}: {line}", path.display());
        }
    }
}

#[test]
fn unsafe_stands_in_two_files() {
    for package in ["broker", "relay", "recorder", "replay", "aws", "cli"] {
        let all = sources(package).into_iter();
        let files = all.filter(|path| !["keeper", "mask"].contains(&stem(path)));
        none_names(files, &["unsafe {", "unsafe fn", "allow(unsafe_code"]);
    }
}

#[test]
fn nobody_ignores_what_can_fail() {
    for package in ["broker", "relay", "recorder", "replay", "aws", "cli"] {
        none_names(sources(package), &["let _ =", "todo!", "unimplemented!", ".unwrap()"]);
    }
}
