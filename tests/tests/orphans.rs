//! Recovery touches only its own dead, and nobody can make it fail for ever.

use std::fs;

use bg_recorder::segment::{self, Header, RECORD_HEAD, Record, Walk};
use bg_recorder::session::ObjectName;

use crate::crash::kill;
use crate::support::driver::Driver;
use crate::support::tape::Tape;
use crate::support::wait::until;
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
    for made in ["lock", "reserve"] {
        fs::write(spool.join(made), "as a recorder makes them, but not by its recorder").unwrap();
    }
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
fn what_is_planted_beside_a_dead_session_costs_one_recovery_and_hides_no_frame() {
    for name in [
        "checkpoints/0000000000",
        "checkpoints/0000000001",
        "checkpoints/0000000009",
        "recovery",
        "note.txt",
    ] {
        let world = World::new();
        let mut driver = session(&world, "echo ready; read -r line");
        driver.wait_for("ready");
        let tape = world.tape();
        kill(&world, &mut driver);
        let planted = tape.dir.join(name);
        fs::create_dir_all(planted.parent().unwrap()).unwrap();
        if planted.exists() {
            // It was made in time: then it is what stands behind that is planted.
            continue;
        }
        fs::write(&planted, vec![b'x'; 5_000_000]).unwrap();
        let first = world.recover();
        assert_eq!(first.status.code(), Some(1), "{name}: {}", stderr(&first));
        let again = world.recover();
        assert_eq!(again.status.code(), Some(0), "{name}: {}", stderr(&again));
        let said = world.verify("last");
        assert_eq!(said["verdict"], "broken", "{name}: {said}");
        if name != "recovery" {
            assert_eq!(said["frames"], tape.note("recovery")["frames"], "{name}: {said}");
            assert!(said["frames"].as_u64() > Some(0), "{name}: {said}");
        }
    }
}

#[test]
fn what_only_links_is_not_signed_by_a_recovery() {
    let world = World::new();
    let tape = killed_when_stored(&world);
    let last = tape.last().unwrap();
    let good = tape.note(&ObjectName::Checkpoint(last).to_string());
    let planted = ObjectName::Segment(last + 1).to_string();
    fs::write(tape.dir.join(&planted), noise(&tape, last)).unwrap();
    let linked = tape.report();
    assert_eq!((linked.frames, linked.unsigned), (good["frames"].as_u64().unwrap(), 1));
    let first = world.recover();
    assert_eq!(first.status.code(), Some(1), "{}", stderr(&first));
    assert!(stderr(&first).contains(&format!("{planted}: fork: ")), "{}", stderr(&first));
    let recovery = tape.note("recovery");
    assert_eq!((&recovery["segments"], &recovery["frames"]), (&(last + 1).into(), &good["frames"]));
    assert_eq!(world.recover().status.code(), Some(0));
}

#[test]
fn a_stored_segment_whose_checkpoint_is_still_in_the_spool_is_the_sessions() {
    let world = World::new();
    let tape = killed_when_stored(&world);
    let name = ObjectName::Checkpoint(tape.last().unwrap()).to_string();
    let stored = tape.dir.join(&name);
    fs::copy(&stored, world.spools()[0].join(&name)).unwrap();
    let made = tape.note(&name)["wall"].as_str().unwrap().to_owned();
    fs::remove_file(&stored).unwrap();
    assert_eq!(world.recover().status.code(), Some(0));
    assert_eq!(tape.verdict(), "recovered");
    let last = tape.note("recovery")["last_write"].as_str().unwrap().to_owned();
    assert!(last >= made, "it is as long as it was: {last} {made}");
}

#[test]
fn a_host_that_lost_its_id_is_told_how_to_recover_what_it_left() {
    let world = World::new();
    let mut driver = session(&world, "echo ready; read -r line");
    driver.wait_for("ready");
    let tape = world.tape();
    kill(&world, &mut driver);
    fs::remove_file(world.state().join("host.json")).unwrap();
    let refused = world.recover();
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    let said = stderr(&refused);
    assert!(said.contains("this one is not known any more"), "{said}");
    let (_, rest) = said.split_once("write ").unwrap();
    let (id, _) = rest.split_once(" into it").unwrap();
    fs::write(world.state().join("host.json"), id).unwrap();
    assert_eq!(world.recover().status.code(), Some(0));
    assert_eq!(tape.verdict(), "recovered");
    world.record("echo next");
    let all = world.replay().args(["verify", "--all"]).output().unwrap();
    assert_eq!(all.status.code(), Some(3), "no hole in its count: {}", stderr(&all));
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

/// Makes a segment that links on from the last as anyone can who reads the store, and that no key sealed.
fn noise(tape: &Tape, last: u64) -> Vec<u8> {
    let before = fs::read(tape.dir.join(ObjectName::Segment(last).to_string())).unwrap();
    let (mut header, head) = Header::decode(&before).unwrap();
    let mut walk = Walk::new(&header, head);
    while let Record::Frame { .. } = walk.step(&before).unwrap() {}
    header.segment = last + 1;
    header.first_frame = walk.frames();
    header.previous = walk.link();
    header.step += 1;
    header.keys = None;
    let mut bytes = header.encode().unwrap();
    let mut record = vec![7; RECORD_HEAD + 40];
    let link = walk.link().header(last + 1, &bytes).frame(walk.frames(), &record[RECORD_HEAD..]);
    segment::frame_record(&mut record, link).unwrap();
    bytes.extend(record);
    bytes.extend(segment::end_marker(1, link));
    bytes
}

/// Kills a session when the store has all of it that was shown.
fn killed_when_stored(world: &World) -> Tape {
    let mut driver = session(world, "echo ready; read -r line");
    driver.wait_for("ready");
    let tape = world.tape();
    until("all is stored", || tape.last().is_some() && world.spooled_is_genesis());
    kill(world, &mut driver);
    tape
}

fn session(world: &World, script: &str) -> Driver {
    let mut shell = world.shell();
    shell.args(["open", "--", "sh", "-c", script]);
    Driver::spawn(shell)
}
