//! What a killed recorder had heard is heard again from its tape, by who can open it.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::crash::kill;
use crate::support::driver::Driver;
use crate::support::evidence::Evidence;
use crate::support::process::install;
use crate::support::world::stderr;

#[test]
fn what_a_killed_recorder_had_heard_is_read_from_its_tape() {
    let evidence = Evidence::new("");
    let mut driver = Driver::spawn(shell(&evidence, &["open", "--reason", "x", "--", "sh"]));
    driver.send("echo AKIAIOSFODNN7EXAMPL\"\"E one\r");
    driver.wait_for("AKIAIOSFODNN7EXAMPLE one");
    driver.send("echo tw\x1b[C\r");
    driver.wait_for("tw");
    kill(&evidence.world, &mut driver);
    let recovered = run(&evidence, &["recover"]);
    assert!(recovered.status.success(), "{}", stderr(&recovered));
    let without = report(&evidence, &[]);
    assert_eq!(without["commands"]["known"], false);
    assert!(without["to_do"].to_string().contains("--from-tape"), "{without}");
    let with = report(&evidence, &["--from-tape"]);
    let lines = with["commands"]["lines"].as_array().unwrap();
    assert_eq!(lines[0]["line"], "echo AKIAIOSFODNN7EXAMPL\"\"E one");
    assert_eq!(
        (&lines[0]["partial"], &with["commands"]["source"]),
        (&false.into(), &"tape frames".into())
    );
    assert_eq!((&lines[1]["line"], &lines[1]["partial"]), (&"echo tw".into(), &true.into()));
    let found = &with["exposures"]["found"];
    assert_eq!(found[0]["shown"], "AKIAIOSFODNN7EXAMPLE", "{with}");
    let tape = &with["tape"];
    assert_eq!(
        (&tape["verdict"], &tape["last_event"]["source"]),
        (&"recovered".into(), &"tape frames".into())
    );
    assert_eq!(with["ended"]["at"], tape["last_event"]["value"]);
    assert!(tape["lasted_ms"]["value"].as_u64() > Some(0), "{tape}");
    assert!(lines.iter().all(|line| line["at"].as_str() <= tape["last_event"]["value"].as_str()));
    // Stored, it is the report that everybody sees.
    report(&evidence, &["--from-tape", "--write"]);
    assert_eq!(report(&evidence, &[])["commands"], with["commands"]);
}

#[test]
fn who_cannot_open_a_tape_is_told_what_it_takes() {
    let evidence = Evidence::new("");
    evidence.session("true");
    let key = evidence.state().join("keys/open.pem");
    let kept = evidence.world.home().join("kept.pem");
    fs::rename(&key, &kept).unwrap();
    let refused = run(&evidence, &["report", "last", "--from-tape"]);
    assert!(!refused.status.success() && refused.stdout.is_empty());
    assert!(stderr(&refused).contains("it takes an opening key"), "{}", stderr(&refused));
    let key = ["report", "last", "--json", "--from-tape", "--key", kept.to_str().unwrap()];
    let opened = run(&evidence, &key);
    assert!(opened.status.success(), "{}", stderr(&opened));
}

fn report(evidence: &Evidence, args: &[&str]) -> Value {
    let output = run(evidence, &[&["report", "last", "--json"], args].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn run(evidence: &Evidence, args: &[&str]) -> Output {
    shell(evidence, args).output().unwrap()
}

/// Returns bg-shell as it is installed: bg-replay stands beside it.
fn shell(evidence: &Evidence, args: &[&str]) -> Command {
    let bin = evidence.world.home().join("bin");
    if !bin.exists() {
        fs::create_dir_all(&bin).unwrap();
        for (name, built) in [
            ("bg-shell", env!("CARGO_BIN_EXE_shell-under-test")),
            ("bg-replay", env!("CARGO_BIN_EXE_replay-under-test")),
        ] {
            install(built, &bin.join(name));
        }
    }
    let mut shell = evidence.world.command(bin.join("bg-shell").to_str().unwrap());
    shell.arg("--config").arg(evidence.world.home().join("config.toml")).args(args);
    shell
}
