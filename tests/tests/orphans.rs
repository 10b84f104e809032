//! Recovery touches only its own dead, and nobody can make it fail for ever.

use std::fs;

use bg_recorder::segment::Header;
use bg_recorder::session::ObjectName;

use crate::crash::kill;
use crate::support::driver::Driver;
use crate::support::world::{World, stderr};

#[test]
fn a_spool_that_was_made_from_a_running_session_of_another_host_is_left_alone() {
    let (world, other) = (World::new(), World::new());
    let mut driver = session(&world, "echo ready; read -r line; echo \"<$line>\"");
    driver.wait_for("ready");
    let tape = world.tape();
    other.record("echo mine");
    let spool = other.state().join("spool").join(tape.id());
    fs::create_dir_all(spool.join("segments")).unwrap();
    fs::copy(tape.dir.join("genesis"), spool.join("genesis")).unwrap();
    let output = other.recover();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("a session of another host"), "{}", stderr(&output));
    assert_eq!(other.tapes().len(), 1, "nothing was written for it");
    driver.send("still here\r");
    driver.wait_for("<still here>");
    assert_eq!(driver.wait(), 0);
    tape.assert_intact();
}

#[test]
fn a_spool_without_a_recorders_lock_waits_until_its_tape_is_silent() {
    let world = World::new();
    let mut driver = session(&world, "echo ready; read -r line");
    driver.wait_for("ready");
    let tape = world.tape();
    // The same host's id and count, beside the spool that the recorder holds.
    let copy = world.home().join("copy");
    let spool = copy.join("bg-shell/spool").join(tape.id());
    fs::create_dir_all(&spool).unwrap();
    fs::copy(tape.dir.join("genesis"), spool.join("genesis")).unwrap();
    fs::copy(world.state().join("host.json"), copy.join("bg-shell/host.json")).unwrap();
    std::os::unix::fs::symlink(world.state().join("evidence"), copy.join("bg-shell/evidence"))
        .unwrap();
    std::os::unix::fs::symlink(world.state().join("keys"), copy.join("bg-shell/keys")).unwrap();
    let output = world.shell().env("XDG_STATE_HOME", &copy).arg("recover").output().unwrap();
    assert!(stderr(&output).contains("it may be running elsewhere"), "{}", stderr(&output));
    driver.send("\r");
    assert_eq!(driver.wait(), 0);
    tape.assert_intact();
}

#[test]
fn a_squatted_name_is_called_a_fork_and_recovered_once() {
    for name in ["seal", "segments/0000000000"] {
        let world = World::new();
        let mut driver = session(&world, "echo ready; read -r line");
        driver.wait_for("ready");
        let tape = world.tape();
        let squatted = tape.dir.join(name);
        kill(&world, &mut driver);
        fs::create_dir_all(squatted.parent().unwrap()).unwrap();
        fs::remove_file(&squatted).unwrap_or(());
        fs::write(&squatted, "garbage").unwrap();
        let first = world.recover();
        assert_eq!(first.status.code(), Some(1), "{name}: {}", stderr(&first));
        assert!(stderr(&first).contains("fork: "), "{name}: {}", stderr(&first));
        assert!(stderr(&first).contains(".fork"), "{name}: {}", stderr(&first));
        let again = world.recover();
        assert_eq!(
            (again.status.code(), stderr(&again).trim()),
            (Some(0), "bg-shell: nothing to recover"),
            "{name}"
        );
        assert!(tape.dir.join("recovery").exists(), "{name}");
        assert_eq!(tape.verdict(), "broken", "{name}");
    }
}

#[test]
fn a_header_of_2100_beside_a_dead_session_does_not_keep_it_from_its_end() {
    for number in [0, 1] {
        let world = World::new();
        let mut driver = session(&world, "echo ready; read -r line");
        driver.wait_for("ready");
        let tape = world.tape();
        kill(&world, &mut driver);
        let spooled = fs::read(world.spools()[0].join("segments/0000000000")).unwrap();
        let (mut header, _) = Header::decode(&spooled).unwrap();
        header.segment = number;
        header.wall_us = 4_102_444_800_000_000;
        fs::create_dir_all(tape.dir.join("segments")).unwrap();
        let planted = tape.dir.join(ObjectName::Segment(number).to_string());
        fs::write(planted, header.encode().unwrap()).unwrap();
        let first = world.recover();
        assert_eq!(first.status.code(), Some(1), "{number}: {}", stderr(&first));
        assert!(tape.dir.join("recovery").exists(), "{number}");
        assert_eq!(tape.verdict(), "broken", "{number}");
        let again = world.recover();
        assert_eq!(again.status.code(), Some(0), "{number}: {}", stderr(&again));
    }
}

#[test]
fn the_next_session_remembers_where_a_recovered_one_ended() {
    let world = World::new();
    let mut driver = session(&world, "echo ready; read -r line");
    driver.wait_for("ready");
    kill(&world, &mut driver);
    assert!(world.recover().status.success());
    world.record("echo next");
    let tapes = world.tapes();
    let previous = tapes[1].note("genesis")["host"]["previous"].clone();
    assert_eq!(previous["at"], "end", "{previous}");
    assert_eq!(previous["link"], tapes[0].note("recovery")["link"]);
    let all = world.replay().args(["verify", "--all"]).output().unwrap();
    assert_eq!(all.status.code(), Some(3), "{}", stderr(&all));
}

fn session(world: &World, script: &str) -> Driver {
    let mut shell = world.shell();
    shell.args(["open", "--", "sh", "-c", script]);
    Driver::spawn(shell)
}
