//! Disks that are full, read-only or gone: a session never goes on unrecorded.

use std::fs;

use crate::support::disk::Disk;
use crate::support::driver::{Driver, without_ours};
use crate::support::wait::until;
use crate::support::world::{World, stderr};

#[test]
fn nothing_starts_on_a_full_disk() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state(), 64) else { return };
    disk.fill(0);
    refused(&world, "cannot use the evidence keys: ");
}

#[test]
fn nothing_starts_without_room_for_the_reserve() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state(), 8_192) else { return };
    assert!(world.record("true").status.success());
    let filler = disk.fill(1_024);
    refused(&world, "cannot begin the recording: cannot write to the spool: No space left");
    fs::remove_file(filler).unwrap();
    the_next_one_is_the_next(&world, 2);
}

#[test]
fn nothing_starts_when_the_store_does_not_take_the_genesis() {
    let world = World::new();
    assert!(world.record("true").status.success());
    let Some(disk) = Disk::mount(&world.state().join("evidence"), 64) else { return };
    let filler = disk.fill(0);
    refused(&world, "cannot begin the recording: the evidence store failed: ");
    fs::remove_file(filler).unwrap();
    let recovered = world.recover();
    assert!(recovered.status.success(), "{}", stderr(&recovered));
    the_next_one_is_the_next(&world, 3);
}

#[test]
fn nothing_starts_on_a_read_only_disk() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state(), 8_192) else { return };
    disk.freeze();
    refused(&world, "cannot use the evidence keys: ");
    disk.thaw();
    assert!(world.record("true").status.success());
    disk.freeze();
    refused(&world, "cannot begin the recording: ");
    disk.thaw();
    the_next_one_is_the_next(&world, 2);
}

#[test]
fn a_disk_that_fills_ends_the_session_and_nothing_shown_is_lost() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state(), 8_192) else { return };
    let mut driver = Driver::spawn(session(&world, "stty raw; exec cat /dev/urandom"));
    let before = format!("{:?}", driver.settings());
    assert_eq!(driver.wait(), 125, "{}", world.said());
    assert_eq!(before, format!("{:?}", driver.settings()));
    let said = world.said();
    let errors: Vec<&str> =
        said.lines().filter(|line| line.starts_with("bg-shell: error: ")).collect();
    assert_eq!(
        errors,
        [
            "bg-shell: error: the session was ended: cannot write to the spool: No space left on device (os error 28)"
        ],
        "{said}"
    );
    assert_eq!(world.processes(), []);
    disk.resize(65_536);
    let recovered = world.recover();
    assert!(recovered.status.success(), "{}", stderr(&recovered));
    let tape = world.tape();
    assert!(["intact", "recovered"].contains(&&*tape.verdict()), "{:?}", tape.report());
    let recorded = tape.output();
    let shown = without_ours(driver.shown(), &recorded);
    let same = shown.iter().zip(&recorded).take_while(|(a, b)| a == b).count();
    assert_eq!(same, shown.len(), "{} recorded", recorded.len());
    assert!(same > 1_000_000, "{same}");
    assert_eq!(world.spools().len(), 0);
}

#[test]
fn the_reserve_lets_a_session_on_a_full_disk_say_so_and_be_sealed() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state().join("spool"), 4_096) else { return };
    let mut driver = Driver::spawn(session(
        &world,
        "echo ready; read -r line; exec head -c 1000000 /dev/urandom",
    ));
    driver.wait_for("ready");
    disk.fill(100);
    driver.send("\r");
    assert_eq!(driver.wait(), 125, "{}", world.said());
    let tape = world.tape();
    assert_eq!(tape.verdict(), "intact", "{:?}", tape.report());
    let seal = tape.note("seal");
    assert_eq!(seal["about"]["ended"], "recorder-failure");
    assert!(seal["about"]["detail"].as_str().unwrap().contains("No space left"), "{seal}");
    let gap = &tape.notices("gap")[0];
    assert_eq!((&gap["bytes"], &gap["why"]), (&seal["gaps"][0]["bytes"], &seal["gaps"][0]["why"]));
    assert!(gap["bytes"].as_u64().unwrap() > 0, "{gap}");
}

#[test]
fn a_store_that_fails_and_comes_back_loses_nothing() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state().join("evidence"), 16_384) else { return };
    let mut driver =
        Driver::spawn(session(&world, "echo ready; read -r a; echo one; read -r b; echo two"));
    driver.wait_for("ready");
    disk.freeze();
    driver.wait_for("bg-shell: the evidence store does not answer; recording goes to the spool");
    driver.send("a\r");
    driver.wait_for("one");
    disk.thaw();
    driver.wait_for("bg-shell: the evidence store takes objects again");
    driver.send("b\r");
    driver.wait_for("two");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    let tape = world.tape();
    tape.assert_intact();
    let states: Vec<_> =
        tape.notices("store").iter().map(|notice| notice["state"].clone()).collect();
    assert_eq!(states[..2], ["down", "up"]);
    assert_eq!(world.spools().len(), 0);
}

#[test]
fn a_session_outlives_its_store_and_is_shipped_when_that_is_repaired() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state().join("evidence"), 16_384) else { return };
    let mut driver =
        Driver::spawn(session(&world, "echo ready; read -r line; echo \"<$line>\"; exit 3"));
    driver.wait_for("ready");
    disk.freeze();
    driver.wait_for("bg-shell: the evidence store does not answer");
    driver.send("typed without a store\r");
    driver.wait_for("<typed without a store>");
    assert_eq!(driver.wait(), 3, "{}", world.said());
    assert!(world.said().contains("objects are not in the store yet"), "{}", world.said());
    assert_eq!(world.recover().status.code(), Some(1));
    disk.thaw();
    let recovered = world.recover();
    assert!(
        recovered.status.success() && stderr(&recovered).contains(": intact, "),
        "{}",
        stderr(&recovered)
    );
    assert_eq!(world.tape().note("seal")["read_back"], serde_json::Value::Null);
    assert_eq!((&*world.tape().verdict(), world.spools().len()), ("intact", 0));
    assert!(world.tape().input().starts_with(b"typed without a store\r"));
}

#[test]
fn a_spool_that_is_removed_ends_the_session() {
    let world = World::new();
    let mut driver = Driver::spawn(session(
        &world,
        "echo ready; rm -rf $HOME/bg-shell/spool/*; while :; do echo more; done",
    ));
    let before = format!("{:?}", driver.settings());
    driver.wait_for("more");
    assert_eq!(driver.wait(), 125, "{}", world.said());
    assert_eq!(before, format!("{:?}", driver.settings()));
    assert!(world.said().contains("bg-shell: error: the session was ended: "), "{}", world.said());
    until("no process of the session", || world.processes().is_empty());
    assert_ne!(world.tape().verdict(), "intact");
}

#[test]
fn a_limit_on_file_sizes_is_told_and_not_died_of() {
    let world = World::new();
    let mut shell = world.command("sh");
    shell.args([
        "-c",
        "ulimit -f 1000; exec \"$0\" open -- touch $HOME/started",
        env!("CARGO_BIN_EXE_shell-under-test"),
    ]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(
        stderr(&output)
            .contains("cannot begin the recording: cannot write to the spool: File too large"),
        "{}",
        stderr(&output)
    );
    assert!(!world.home().join("started").exists());
}

fn session(world: &World, script: &str) -> std::process::Command {
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", script]);
    shell
}

fn refused(world: &World, why: &str) {
    let marker = world.home().join("started");
    let output = world.record("touch $HOME/started");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].starts_with(&format!("bg-shell: error: {why}"))
            && lines[1].starts_with("bg-shell: hint: "),
        "{said}"
    );
    assert!(!marker.exists());
    // What waits for its start dies with who would have started it, in its own time.
    until("no process", || world.processes().is_empty());
}

/// What was refused left nothing in the way: the next session is this one of the host's, and no place is missing.
fn the_next_one_is_the_next(world: &World, place: u64) {
    let output = world.record("true");
    assert!(output.status.success(), "{}", stderr(&output));
    let places: Vec<u64> = world
        .tapes()
        .iter()
        .map(|tape| tape.note("genesis")["host"]["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(places.last(), Some(&place), "{places:?}");
    assert_eq!(world.spools().len(), 0);
}
