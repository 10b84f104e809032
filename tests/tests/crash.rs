//! The recorder is killed, as the kernel kills: no handler runs. What it had released is on the tape, nothing of
//! the session lives on, and `recover` gives the tape its end.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Stdio;

use bg_recorder::session::ObjectName;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::disk::Disk;
use crate::support::driver::Driver;
use crate::support::tape::Tape;
use crate::support::wait::until;
use crate::support::world::{World, stderr};

#[test]
fn every_process_of_the_session_dies_with_the_recorder() {
    let world = World::new();
    let stubborn = "trap '' HUP TERM; : >>$HOME/$0; exec sleep 1000";
    let script = format!(
        "setsid sh -c '{stubborn}' setsid & nohup sh -c '{stubborn}' nohup & (sh -c '{stubborn}' forked & exec true) & \
         (setsid sh -c '{stubborn}' daemon </dev/null >/dev/null 2>&1 &) & trap '' HUP; echo ready; exec sleep 1000"
    );
    let mut driver = session(&world, &script);
    for name in ["setsid", "nohup", "forked", "daemon"] {
        until(name, || world.home().join(name).exists());
    }
    // The leader, too, lives on when its terminal hangs up.
    until("five sleepers", || {
        world.processes().iter().filter(|process| process.args == "sleep 1000").count() == 5
    });
    kill(&world, &mut driver);
}

#[test]
fn what_was_shown_is_on_the_tape_after_recovery() {
    let world = World::new();
    let mut driver = session(&world, "n=0; while :; do n=$((n+1)); echo line $n; done");
    driver.wait_for("line 2000");
    kill(&world, &mut driver);
    let before = world.tape();
    assert!(["live", "unfinished"].contains(&&*before.verdict()), "{:?}", before.report());
    let recovered = world.recover();
    assert_eq!(recovered.status.code(), Some(0), "{}", stderr(&recovered));
    assert!(
        stderr(&recovered).contains(&format!("session {}: recovered", before.id())),
        "{}",
        stderr(&recovered)
    );
    let tape = world.tape();
    let shown = driver.shown();
    recovered_whole(&tape);
    assert!(
        tape.output().starts_with(&shown),
        "{} shown, {} on the tape",
        shown.len(),
        tape.output().len()
    );
    assert_eq!(world.spools().len(), 0);
}

#[test]
fn a_verifier_says_recovered_with_exit_code_3() {
    let world = World::new();
    killed_session(&world);
    assert!(world.recover().status.success());
    assert_eq!(world.verify("last")["verdict"], "recovered");
    let status = world
        .replay()
        .args(["verify", "last"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
}

#[test]
fn the_next_session_recovers_the_last_one_and_says_so() {
    let world = World::new();
    let id = killed_session(&world);
    let next = world.record("printf next");
    assert_eq!((next.status.code(), &*next.stdout), (Some(0), &b"next"[..]));
    assert!(
        stderr(&next).contains(&format!("bg-shell: session {id}: recovered")),
        "{}",
        stderr(&next)
    );
    let [killed, next] = &world.tapes()[..] else { panic!() };
    recovered_whole(killed);
    next.assert_intact();
    assert_eq!(next.note("genesis")["host"]["previous"]["session"], id);
}

#[test]
fn what_many_killed_sessions_left_is_three_lines_before_the_next_one() {
    let world = World::new();
    killed_sessions(&world, 4);
    let next = world.record("printf next");
    let said = stderr(&next);
    assert_eq!((next.status.code(), &*next.stdout), (Some(0), &b"next"[..]), "{said}");
    let before: Vec<&str> =
        said.lines().take_while(|line| !line.contains("PRACTICE session")).collect();
    let told = ["4 killed sessions are recovered", "still being recovered, beside this one"];
    assert!(
        before.len() <= 3 && before.iter().any(|line| told.iter().any(|what| line.contains(what))),
        "{said}"
    );
    until("all of them are recovered", || world.spools().is_empty());
    world.tapes().iter().take(4).for_each(recovered_whole);
}

#[test]
fn a_second_recovery_finds_nothing_and_changes_nothing() {
    let world = World::new();
    killed_session(&world);
    assert!(world.recover().status.success());
    let before = contents(&world.tape());
    let again = world.recover();
    assert_eq!(
        (again.status.code(), stderr(&again).trim()),
        (Some(0), "bg-shell: nothing to recover")
    );
    assert_eq!(contents(&world.tape()), before);
}

#[test]
fn recoveries_at_the_same_time_do_no_harm() {
    let world = World::new();
    killed_sessions(&world, 3);
    let recover = || world.shell().arg("recover").stderr(Stdio::piped()).spawn().unwrap();
    let runs: Vec<_> = (0..4).map(|_| recover()).collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    assert_eq!((world.tapes().len(), world.spools().len()), (3, 0));
    world.tapes().iter().for_each(recovered_whole);
}

#[test]
fn a_recovery_for_scripts_is_one_object_a_line() {
    let world = World::new();
    let nothing = world.shell().args(["recover", "--json"]).output().unwrap();
    assert_eq!(
        (nothing.status.code(), nothing.stdout.len(), nothing.stderr.len()),
        (Some(0), 0, 0)
    );
    let killed = killed_sessions(&world, 2);
    let output = world.shell().args(["recover", "--json"]).output().unwrap();
    assert_eq!((output.status.code(), &*stderr(&output)), (Some(0), ""));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["session"].to_string());
    assert_eq!(
        lines.iter().map(|line| line["session"].as_str().unwrap()).collect::<Vec<_>>(),
        killed
    );
    for (line, tape) in lines.iter().zip(world.tapes()) {
        assert_eq!((&line["verdict"], &line["error"]), (&"recovered".into(), &Value::Null));
        assert_eq!(line["frames"], tape.note("recovery")["frames"]);
    }
}

#[test]
fn a_running_session_is_left_alone_by_a_recovery() {
    let world = World::new();
    let mut driver = session(&world, "echo ready; read -r line; echo \"<$line>\"");
    driver.wait_for("ready");
    let output = world.recover();
    assert_eq!(
        (output.status.code(), stderr(&output).trim()),
        (Some(0), "bg-shell: nothing to recover")
    );
    driver.send("still here\r");
    driver.wait_for("<still here>");
    assert_eq!(driver.wait(), 0);
    world.tape().assert_intact();
}

#[test]
fn a_torn_frame_is_cut_and_counted() {
    let world = World::new();
    killed_session(&world);
    let segments = world.spools()[0].join("segments");
    let newest = fs::read_dir(segments).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    // A write that the power cut short: it claims more than is there.
    OpenOptions::new()
        .append(true)
        .open(newest)
        .unwrap()
        .write_all(&[0, 0, 1, 0, 7, 7, 7])
        .unwrap();
    assert!(world.recover().status.success());
    recovered_whole(&world.tape());
    assert_eq!(world.tape().note("recovery")["torn_bytes"], 7);
    assert!(world.tape().output().starts_with(b"ready"));
}

#[test]
fn a_segment_that_the_store_has_and_the_disk_had_not_is_taken_from_the_store() {
    for zeros in [false, true] {
        let world = World::new();
        let mut driver = session(&world, "echo ready; exec sleep 1000");
        driver.wait_for("ready");
        let stored = world.tape().dir.join("segments/0000000000");
        until("the first segment in the store", || stored.exists());
        kill(&world, &mut driver);
        // It was shipped at once; neither its bytes nor its removal had come to the disk when the power went.
        let mut bytes = fs::read(&stored).unwrap();
        let half = bytes.len() / 2;
        bytes[half..].fill(0);
        bytes.truncate(if zeros { bytes.len() } else { half });
        fs::write(world.spools()[0].join("segments/0000000000"), bytes).unwrap();
        let recovered = world.recover();
        assert!(recovered.status.success(), "{}", stderr(&recovered));
        recovered_whole(&world.tape());
        let shown = driver.shown();
        assert!(world.tape().output().starts_with(&shown), "{:?}", String::from_utf8_lossy(&shown));
        assert!(world.spools().is_empty(), "{:?} {}", world.spools(), stderr(&recovered));
    }
}

#[test]
fn a_checkpoint_does_not_survive_the_end_of_its_segment() {
    let world = World::new();
    let mut driver = session(&world, "echo ready; exec sleep 1000");
    driver.wait_for("ready");
    let tape = world.tape();
    until("all is stored", || tape.last().is_some() && world.spooled_is_genesis());
    kill(&world, &mut driver);
    let last = tape.last().unwrap();
    let tape = tape.dir;
    let names =
        [ObjectName::Segment(last), ObjectName::Checkpoint(last)].map(|name| name.to_string());
    // As if the store had been away: both wait in the spool, and the disk has the second but not all of the first.
    for name in &names {
        fs::copy(tape.join(name), world.spools()[0].join(name)).unwrap();
        fs::remove_file(tape.join(name)).unwrap();
    }
    let segment = OpenOptions::new().write(true).open(world.spools()[0].join(&names[0])).unwrap();
    segment.set_len(segment.metadata().unwrap().len() - 1).unwrap();
    let recovered = world.recover();
    assert!(recovered.status.success(), "{}", stderr(&recovered));
    recovered_whole(&world.tape());
    let shown = driver.shown();
    assert!(world.tape().output().starts_with(&shown), "{:?}", String::from_utf8_lossy(&shown));
    assert!(world.spools().is_empty(), "{:?} {}", world.spools(), stderr(&recovered));
}

#[test]
fn a_spool_that_cannot_be_recovered_stops_neither_the_others_nor_the_next_session() {
    let world = World::new();
    let good = killed_session(&world);
    let spool = world.spools()[0].clone();
    let bad = spool.with_file_name("01a2072d-0000-7000-8000-000000000000").join("genesis");
    fs::create_dir_all(bad.with_file_name("segments")).unwrap();
    fs::write(bad.with_file_name("segments").join("0000000000"), "no segment").unwrap();
    fs::write(&bad, "no note").unwrap();
    fs::write(bad.with_file_name("lock"), "").unwrap();
    let next = world.record("printf next");
    assert_eq!((next.status.code(), &*next.stdout), (Some(0), &b"next"[..]), "{}", stderr(&next));
    let again = world.recover();
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("bg-shell: hint: its spool stays in"), "{}", stderr(&again));
    // On a slow host the recovery beside the next session is not over in time: then this one told of it.
    let said = stderr(&next) + &stderr(&again);
    assert!(said.contains("bg-shell: error: cannot recover session"), "{said}");
    assert!(said.contains(&format!("session {good}: recovered")), "{said}");
    assert!(bad.exists());
}

#[test]
fn what_is_on_a_disk_that_turned_read_only_is_shipped_and_its_spool_is_spoken_of() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.practice().spool(), 16_384) else { return };
    let id = killed_session(&world);
    disk.freeze();
    let recovered = world.recover();
    let said = stderr(&recovered);
    assert_eq!(recovered.status.code(), Some(1), "{said}");
    let error = format!(
        "bg-shell: error: cannot recover session {id}: its tape is in the store (recovered), "
    );
    assert!(said.contains(&error) && said.contains("Read-only file system"), "{said}");
    assert!(said.contains("bg-shell: hint: its spool stays in"), "{said}");
    recovered_whole(&world.tape());
    let before = contents(&world.tape());
    disk.thaw();
    assert!(world.recover().status.success());
    assert_eq!((contents(&world.tape()), world.spools().len()), (before, 0));
}

#[test]
fn what_the_disk_gives_back_changed_is_never_shipped() {
    let world = World::new();
    let Some(store) = Disk::mount(&world.state().join("evidence"), 16_384) else { return };
    let mut driver = session(&world, "echo ready; while read -r line; do echo \"<$line>\"; done");
    driver.wait_for("ready");
    store.freeze();
    let segments = || {
        fs::read_dir(world.spools()[0].join("segments")).unwrap().map(|entry| entry.unwrap().path())
    };
    // The first to wait may be in memory already, on its way to the store.
    while segments().count() < 4 {
        driver.send("line\r");
        driver.wait_for("<line>");
    }
    let mut waiting: Vec<_> = segments().collect();
    waiting.sort();
    let written = fs::read(&waiting[2]).unwrap();
    // As a file reads whose blocks were never written.
    fs::write(&waiting[2], vec![0; written.len()]).unwrap();
    store.thaw();
    assert_eq!(driver.wait(), 125);
    let name = waiting[2].file_name().unwrap().to_str().unwrap().to_owned();
    let said = world.said();
    assert!(
        said.contains(&format!("segments/{name} is not in the spool as it was written")),
        "{said}"
    );
    let recovered = world.recover();
    assert_eq!(recovered.status.code(), Some(1), "{}", stderr(&recovered));
    assert!(stderr(&recovered).contains("something is missing"), "{}", stderr(&recovered));
    assert!(!world.tape().dir.join("segments").join(name).exists());
    // What was sealed is kept until the disk gives it back.
    fs::write(&waiting[2], written).unwrap();
    let recovered = world.recover();
    assert!(recovered.status.success(), "{}", stderr(&recovered));
    assert_eq!((world.tape().verdict().as_str(), world.spools().len()), ("intact", 0));
}

#[test]
fn a_spool_that_cannot_be_locked_is_not_passed_over() {
    let world = World::new();
    let id = killed_session(&world);
    let lock = world.spools()[0].join("lock");
    let mark = world.home().join("mark");
    fs::rename(&lock, &mark).unwrap();
    fs::create_dir(&lock).unwrap();
    let recovered = world.recover();
    let said = stderr(&recovered);
    assert_eq!(recovered.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot recover session {id}: cannot use the spool")), "{said}");
    fs::remove_dir(&lock).unwrap();
    fs::rename(&mark, &lock).unwrap();
    assert!(world.recover().status.success());
}

#[test]
fn a_session_that_died_before_it_began_is_forgotten() {
    let world = World::new();
    for (n, genesis) in
        [None, Some(""), Some("bg-shell.dev/genesis/v1\n{\"half")].into_iter().enumerate()
    {
        let spool =
            world.practice().spool().join(format!("01a2072d-0000-7000-8000-00000000000{n}"));
        fs::create_dir_all(spool.join("segments")).unwrap();
        fs::write(spool.join("lock"), "").unwrap();
        if let Some(text) = genesis {
            fs::write(spool.join("genesis"), text).unwrap();
        }
    }
    fs::create_dir(world.practice().spool().join("01a2072d-0000-7000-8000-000000000009")).unwrap();
    let output = world.record("printf next");
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(0), &b"next"[..]),
        "{}",
        stderr(&output)
    );
    assert_eq!((world.tapes().len(), world.spools().len()), (1, 0));
}

#[test]
fn a_session_that_died_before_it_took_its_place_is_counted_all_the_same() {
    for recovered_first in [true, false] {
        let world = World::new();
        assert!(world.record("true").status.success());
        let count = world.state().join("host.json");
        let before = fs::read(&count).unwrap();
        killed_session(&world);
        // As if it had been killed between the two writes: its genesis is there, the count does not know it.
        fs::write(&count, before).unwrap();
        assert!(!recovered_first || world.recover().status.success());
        assert!(world.record("true").status.success());
        let places: Vec<Value> =
            world.tapes().iter().map(|tape| tape.note("genesis")["host"]["seq"].clone()).collect();
        assert_eq!(places, [1, 2, 3]);
    }
}

#[test]
fn a_killed_keeper_ends_the_session_and_the_tape_is_sealed() {
    for (by, keeper) in KEEPERS {
        let world = World::new();
        if let Some(by) = by {
            world.contain(by);
        }
        let mut driver = session(&world, "echo ready; setsid sleep 1000 & read -r line");
        driver.wait_for("ready");
        let pid =
            world.processes().iter().find(|process| process.args.contains(keeper)).unwrap().pid;
        crate::support::process::signal(pid, Signal::KILL);
        assert_eq!(driver.wait(), 125, "{}", world.said());
        assert!(
            world.said().contains("bg-shell: error: the session was ended: its keeper was killed"),
            "{}",
            world.said()
        );
        until("no process", || world.processes().is_empty());
        let tape = world.tape();
        tape.assert_intact();
        assert_eq!(tape.note("seal")["about"]["ended"], "system-failure");
    }
}

/// The keeper of a session as it comes, and those of one that is held by a namespace.
const KEEPERS: [(Option<&str>, &str); 3] = [
    (None, "__keep "),
    (Some("namespace"), "__keep namespace"),
    (Some("namespace"), "__keep init"),
];

/// Leaves a killed session behind; returns its id.
fn killed_session(world: &World) -> String {
    killed_sessions(world, 1).remove(0)
}

/// Leaves so many; all run before the first is killed, as each start recovers what it finds.
fn killed_sessions(world: &World, count: usize) -> Vec<String> {
    let mut drivers: Vec<Driver> =
        (0..count).map(|_| session(world, "echo ready; exec sleep 1000")).collect();
    drivers.iter().for_each(|driver| driver.wait_for("ready"));
    for driver in &mut drivers {
        driver.signal(Signal::KILL);
        assert_eq!(driver.wait(), 128 + 9);
    }
    until("no process of the sessions", || world.processes().is_empty());
    let tapes = world.tapes();
    tapes[tapes.len() - count..].iter().map(Tape::id).collect()
}

fn session(world: &World, script: &str) -> Driver {
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", script]);
    Driver::spawn(shell)
}

/// Kills the recorder, and waits until nothing that it started is left.
pub fn kill(world: &World, driver: &mut Driver) {
    driver.signal(Signal::KILL);
    assert_eq!(driver.wait(), 128 + 9);
    until("no process of the session", || world.processes().is_empty());
}

fn recovered_whole(tape: &Tape) {
    let report = tape.report();
    assert_eq!(report.verdict.to_string(), "recovered", "{report:?}");
}

fn contents(tape: &Tape) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut dirs = vec![tape.dir.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                dirs.push(entry)
            } else {
                all.push((entry.display().to_string(), fs::read(&entry).unwrap()))
            }
        }
    }
    all.sort();
    all
}
