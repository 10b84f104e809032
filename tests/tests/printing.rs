//! What either program prints for a person: harmless whatever others wrote, and never the reason for an exit code.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::wait::until;
use crate::support::world::{World, stderr};

/// Retitles the terminal, colours it with C1, turns the text round, and writes a line of its own.
const NAMES: [&str; 4] = [
    "\x1b]0;pwned\x07",
    "\u{9b}31mred",
    "\u{202e}gpj.exe",
    "x\nbg-shell: access revoked and proved",
];

fn plant(dir: &Path) {
    for name in NAMES {
        fs::write(dir.join(name), "").unwrap();
    }
    // No text at all: what a terminal that is not in UTF-8 would take for C1.
    fs::write(dir.join(std::ffi::OsStr::from_bytes(b"\x9b2J")), "").unwrap();
}

fn harmless(output: &Output) {
    harmless_bytes(&output.stdout);
    harmless_bytes(&output.stderr);
}

fn harmless_bytes(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    let acts = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(acts), "{text:?}");
    let forged = text.lines().any(|line| line.starts_with("bg-shell: access revoked"));
    assert!(!forged, "{text}");
}

#[test]
fn names_in_the_evidence_store_are_harmless_at_the_end_of_a_session() {
    let world = World::new();
    let mut child = waiting(&world);
    plant(&world.tape().dir);
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    harmless_bytes(&output.stderr);
    let said = stderr(&output);
    for shown in ["\\x1b]0;pwned\\x07", "\\x9b31mred", "\\u{202e}gpj.exe", "x\\nbg-shell: access"] {
        assert!(said.contains(shown), "{said}");
    }
}

#[test]
fn names_in_the_evidence_store_are_harmless_at_recover_and_to_an_auditor() {
    let world = World::new();
    let mut child = waiting(&world);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    until("no process of the session", || world.processes().is_empty());
    let tape = world.tape().dir;
    plant(&tape);
    plant(&world.state().join("evidence"));
    plant(&world.state().join("evidence/sessions"));
    let recovered = world.recover();
    harmless(&recovered);
    assert!(stderr(&recovered).contains("\\x1b]0;pwned\\x07"), "{}", stderr(&recovered));
    for args in [
        &["ls"][..],
        &["ls", "--json"],
        &["verify", "last"],
        &["verify", "--all"],
        &["verify", "--all", "--json"],
    ] {
        harmless(&world.replay().args(args).output().unwrap());
    }
    for args in [&["sessions"][..], &["requests"], &["report"], &["reconcile"]] {
        harmless(&world.shell().args(args).output().unwrap());
    }
}

#[test]
fn words_of_the_command_line_and_of_the_environment_are_harmless() {
    let world = World::new();
    world.record("true");
    for bad in NAMES {
        for args in [
            &[bad][..],
            &["report", bad],
            &["--config", bad, "sessions"],
            &["open", "--role", bad, "--reason", bad],
        ] {
            let mut shell = world.shell();
            harmless(&shell.args(args).env("BG_SHELL_SESSION", bad).output().unwrap());
        }
        let nested =
            world.shell().env("BG_SHELL_SESSION", bad).args(["open", "--", "true"]).output();
        harmless(&nested.unwrap());
        for args in [
            &[bad][..],
            &["verify", bad],
            &["--store", bad, "ls"],
            &["play", "last", "--from", bad],
        ] {
            harmless(&world.replay().args(args).output().unwrap());
        }
    }
}

#[test]
fn a_standard_error_that_takes_nothing_changes_no_exit_code() {
    let world = faulty();
    for (program, args) in calls() {
        let run = |stderr: Stdio| {
            let mut command = program(&world);
            command.args(args).stdout(Stdio::null()).stderr(stderr).status().unwrap().code()
        };
        let code = run(Stdio::null());
        assert!(code.is_some_and(|code| code != 101), "{args:?}: {code:?}");
        assert_eq!(run(full()), code, "{args:?}: full");
        assert_eq!(run(nobody()), code, "{args:?}: nobody reads");
    }
}

#[test]
fn a_standard_output_that_takes_nothing_changes_an_exit_code_only_if_all_else_is_well() {
    let world = faulty();
    for (program, args) in calls() {
        let run = |stdout: Stdio, stderr: Stdio| {
            let mut command = program(&world);
            command.args(args).stdout(stdout).stderr(stderr).status().unwrap().code().unwrap()
        };
        let code = run(Stdio::null(), Stdio::null());
        for (stdout, what) in [(full(), "full"), (nobody(), "nobody reads")] {
            let got = run(stdout, full());
            let unheard = code == 0 && matches!(got, 2 | 125);
            assert!(got == code || unheard, "{args:?}: {what}: {got} instead of {code}");
        }
    }
    let verify = |stdout: Stdio| {
        let mut replay = world.replay();
        replay
            .args(["verify", "--all", "--json"])
            .stdout(stdout)
            .stderr(full())
            .status()
            .unwrap()
            .code()
    };
    assert_eq!(verify(Stdio::null()), Some(1), "one tape is broken");
    assert_eq!((verify(full()), verify(nobody())), (Some(1), Some(1)));
}

#[test]
fn what_a_command_does_is_done_although_nobody_takes_its_answer() {
    let world = World::new();
    for _ in 0..2 {
        let mut child = waiting(&world);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        until("no process of the session", || world.processes().is_empty());
    }
    let status = world.shell().args(["recover", "--json"]).stdout(full()).status().unwrap();
    assert_eq!(status.code(), Some(125));
    assert!(world.spools().is_empty(), "every one of them is recovered");
}

type Program = fn(&World) -> Command;

fn calls() -> Vec<(Program, &'static [&'static str])> {
    let shell: Program = World::shell;
    let replay: Program = World::replay;
    let mut calls: Vec<(Program, &[&str])> = Vec::new();
    for args in [
        &["--help"][..],
        &["sessions", "--all"],
        &["sessions", "--all", "--json"],
        &["requests"],
        &["requests", "nothing"],
        &["report"],
        &["report", "nothing"],
        &["recover"],
        &["reconcile"],
        &["doctor"],
        &["doctor", "--json"],
        &["config", "check"],
        &["revoke", "nothing", "--reason", "x"],
        &["extend", "nothing"],
        &["nonsense"],
    ] {
        calls.push((shell, args));
    }
    for args in [
        &[][..],
        &["--help"],
        &["ls"],
        &["ls", "--json"],
        &["ls", "--verify"],
        &["verify", "last"],
        &["verify", "--all"],
        &["verify", "--all", "--json"],
        &["verify", "nothing"],
        &["play", "last"],
        &["cat", "last"],
        &["cat", "last", "--up-to-break"],
        &["export", "last", "--format", "txt"],
        &["nonsense"],
    ] {
        calls.push((replay, args));
    }
    calls
}

/// One tape whole, one broken, and names that belong to no session.
fn faulty() -> World {
    let world = World::new();
    world.record("echo one");
    fs::remove_file(world.tape().dir.join("seal")).unwrap();
    fs::remove_file(world.tape().dir.join("segments/0000000000")).unwrap();
    world.record("echo two");
    plant(&world.state().join("evidence/sessions"));
    world
}

/// A session that ends once its standard input does.
fn waiting(world: &World) -> std::process::Child {
    let mut shell = world.shell();
    shell.args(["open", "--", "sh", "-c", "echo ready; read -r line"]);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut ready = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    child
}

/// Takes nothing: the device is full.
fn full() -> Stdio {
    fs::File::options().write(true).open("/dev/full").unwrap().into()
}

/// Takes nothing: the other end of the pipe is closed.
fn nobody() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}
