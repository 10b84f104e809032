//! Nobody can blind the evidence: what is good of a broken tape is counted and shown, and what is somebody else's
//! fault is not called the tape's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use bg_recorder::reader::Given;
use bg_tests::forge::WALL_US;
use bg_tests::people::Key;
use bg_tests::plea::{ALICE, BOB};
use bg_tests::vector::Vector;
use serde_json::Value;

use crate::support::driver::Driver;
use crate::support::memory::Memory;
use crate::support::wait::until;
use crate::support::world::{World, stderr};

/// Long after the forged sessions ended.
const NOW_US: u64 = WALL_US + 3_600_000_000;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn vector(name: &str) -> Vector {
    Vector::read(&fs::read_to_string(vectors().join(format!("{name}.vec"))).unwrap())
}

/// Writes a vector's tape into a world; returns its directory.
fn written(world: &World, name: &str) -> PathBuf {
    let vector = vector(name);
    let dir = world.home().join(&vector.session);
    for (name, bytes) in &vector.objects {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn replay(world: &World, args: &[&str]) -> Output {
    world.replay().args(args).output().unwrap()
}

#[test]
fn what_is_good_of_a_broken_tape_is_counted() {
    for (name, counts, kind) in [
        ("stranger_object", [7, 3, 0], "fault"),
        ("access_missing", [7, 3, 0], "fault"),
        ("segment_behind_the_seal", [7, 3, 0], "fault"),
        ("seal_squatted", [7, 3, 0], "fault"),
        ("recovered_before_a_planted_checkpoint", [7, 3, 0], "fault"),
        ("recovered_before_a_further_checkpoint", [7, 3, 0], "fault"),
        ("recovered_before_a_further_segment", [7, 3, 0], "fault"),
        ("recovered_beside_a_squatted_seal", [7, 3, 0], "fault"),
        ("seal_edited", [7, 3, 0], "break"),
        ("frame_edited", [4, 2, 1], "break"),
        ("checkpoint_without_segment", [4, 2, 0], "break"),
        ("genesis_edited", [0, 0, 5], "break"),
    ] {
        let report = Memory::of(&vector(name)).verify(NOW_US);
        let found = [report.frames, report.segments, report.unsigned];
        assert_eq!(found, counts, "{name}: {report:?}");
        let json = serde_json::to_value(&report).unwrap();
        let kinds: Vec<&Value> =
            json["findings"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
        assert!(kinds.contains(&&Value::from(kind)), "{name}: {kinds:?}");
    }
}

#[test]
fn a_changed_frame_costs_what_it_touched() {
    for name in ["frame_edited", "checkpoint_without_segment"] {
        let given = Memory::of(&vector(name)).good(&vectors().join("keys/open.pem"), NOW_US);
        let holes = given.iter().filter(|given| matches!(given, Given::Hole(..))).count();
        let text: String = given
            .iter()
            .filter_map(|given| match given {
                Given::Frame(plain) => Some(String::from_utf8_lossy(plain).into_owned()),
                Given::Hole(..) => None,
            })
            .collect();
        assert_eq!(holes, 1, "{name}: {given:?}");
        assert!(text.contains("llo") && text.contains("bye"), "{name}: {text}");
    }
}

#[test]
fn what_cannot_be_read_is_unverifiable_and_never_broken() {
    for name in ["intact", "recovered", "unfinished"] {
        let vector = vector(name);
        let memory = Memory::of(&vector);
        for object in vector.objects.keys() {
            let report = memory.verify_without(object, NOW_US);
            assert_eq!(report.verdict.to_string(), "unverifiable", "{name}, {object}: {report:?}");
        }
    }
}

#[test]
fn a_stray_file_is_said_and_hides_nothing() {
    let world = World::new();
    world.record("echo hello");
    let tape = world.tape();
    fs::write(tape.dir.join("note.txt"), "hello").unwrap();
    let said = world.verify("last");
    assert_eq!((&said["verdict"], said["unsigned"].as_u64()), (&"broken".into(), Some(0)));
    assert!(said["frames"].as_u64().unwrap() > 0, "{said}");
    assert_eq!(said["findings"][0]["kind"], "fault");
    assert_eq!(said["signed"]["trusted"], true);
    assert!(!replay(&world, &["cat", "last"]).status.success());
    for args in [
        &["cat", "last", "--up-to-break"][..],
        &["export", "last", "--up-to-break", "--format", "txt"],
    ] {
        let shown = replay(&world, args);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.status.success() && text.contains("hello"), "{}", stderr(&shown));
        assert!(stderr(&shown).contains("note.txt: not an object of a tape"), "{}", stderr(&shown));
    }
}

#[test]
fn a_hole_is_marked_in_what_is_shown() {
    let world = World::new();
    let mut driver = session(&world, "for i in 0 1 2; do read -r line; echo \"<$line>\"; done");
    let mut tape = None;
    for (n, word) in ["one", "two", "three"].into_iter().enumerate() {
        driver.send(format!("{word}\r"));
        driver.wait_for(&format!("<{word}>"));
        let tape = tape.get_or_insert_with(|| world.tape());
        until("the segment", || tape.dir.join(format!("checkpoints/{n:010}")).exists());
    }
    assert_eq!(driver.wait(), 0);
    let broken = world.tape().dir.join("segments/0000000001");
    let mut bytes = fs::read(&broken).unwrap();
    let middle = bytes.len() - 60;
    bytes[middle] ^= 1;
    fs::remove_file(&broken).unwrap();
    fs::write(&broken, bytes).unwrap();
    let shown = replay(&world, &["cat", "last", "--up-to-break"]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let hole = text.find("are missing here").unwrap_or_else(|| panic!("{text} {}", stderr(&shown)));
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("no {word}: {text}"));
    assert!(at("<one>") < hole && hole < at("<three>"), "{text}");
    let lines = replay(&world, &["export", "last", "--up-to-break", "--format", "jsonl"]);
    assert!(String::from_utf8_lossy(&lines.stdout).contains("are missing here"));
}

#[test]
fn a_directory_that_cannot_be_listed_costs_one_session_its_verdict() {
    let world = World::new();
    world.record("echo one");
    world.record("echo two");
    let tapes = world.tapes();
    let deep: PathBuf = std::iter::repeat_n("d", 300).collect();
    fs::create_dir_all(tapes[0].dir.join(deep)).unwrap();
    let output = replay(&world, &["verify", "--all", "--json"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut said: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let totals = said.pop().unwrap();
    assert_eq!((&totals["session"], &totals["verdict"]), (&Value::Null, &"intact".into()));
    assert_eq!(totals["totals"], serde_json::json!({"intact": 1, "unverifiable": 1}));
    let mut verdicts: Vec<(String, String)> = said
        .iter()
        .map(|said| [&said["session"], &said["verdict"]].map(|v| v.as_str().unwrap().to_owned()))
        .map(|[session, verdict]| (session, verdict))
        .collect();
    verdicts.sort();
    let expected = [(tapes[0].id(), "unverifiable".into()), (tapes[1].id(), "intact".into())];
    assert_eq!(verdicts, expected);
    assert_eq!(output.status.code(), Some(2));
    let listed = replay(&world, &["ls", "--json"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 2);
}

#[test]
fn a_signer_who_is_not_in_the_auditors_own_file_is_named() {
    let world = World::new();
    let dir = written(&world, "access_ed25519_rsa");
    let trust = vectors().join("keys/sign.pub.pem");
    let own = world.home().join("allowed_signers");
    let mine = format!(
        "alice@example.com {}\nbob@example.com {}\ncarol@example.com {}\n",
        ALICE.line(),
        Key::Ed25519(77).line(),
        Key::Rsa.line()
    );
    let [dir, trust, file] = [&dir, &trust, &own].map(|path| path.to_str().unwrap());
    for (signers, strangers) in
        [(mine.clone(), 1), (mine.replace(&Key::Ed25519(77).line(), &BOB.line()), 0)]
    {
        fs::write(&own, signers).unwrap();
        let output =
            replay(&world, &["verify", "--json", "--trust", trust, "--allowed-signers", file, dir]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&said["verdict"], &said["role"]), (&"intact".into(), &"prod-admin".into()));
        let people = said["people"].as_array().unwrap();
        assert_eq!(people.len(), 4, "{said}");
        assert!(people.iter().all(|one| one["key"].as_str().unwrap().starts_with("SHA256:")));
        let named = said["findings"].as_array().unwrap().iter();
        let named = named
            .filter(|one| one["what"].as_str().unwrap().contains("not in your allowed_signers"));
        assert_eq!(named.count(), strangers, "{said}");
    }
}

#[test]
fn terms_that_are_not_the_auditors_own_are_noted() {
    let world = World::new();
    let dir = written(&world, "access_ed25519_rsa");
    let trust = vectors().join("keys/sign.pub.pem");
    let config = world.home().join("auditor.toml");
    let [dir, trust, file] = [&dir, &trust, &config].map(|path| path.to_str().unwrap());
    let noted = |quorum: u64| {
        fs::write(file, format!("[roles.prod-admin]\nquorum = {quorum}\n")).unwrap();
        let args = ["verify", "--json", "--config", file, "--trust", trust, dir];
        let said: Value = serde_json::from_slice(&replay(&world, &args).stdout).unwrap();
        assert_eq!(said["verdict"], "intact", "{said}");
        let findings = said["findings"].as_array().unwrap().iter();
        let found = findings.filter(|one| one["what"].as_str().unwrap().contains("its quorum is"));
        found.inspect(|one| assert_eq!(one["kind"], "note")).count()
    };
    let genesis = fs::read_to_string(format!("{dir}/genesis")).unwrap();
    let genesis: Value = serde_json::from_str(genesis.lines().nth(1).unwrap()).unwrap();
    let quorum = genesis["about"]["access"]["quorum"].as_u64().unwrap();
    assert_eq!((noted(quorum), noted(quorum + 1)), (0, 1));
}

fn session(world: &World, script: &str) -> Driver {
    let mut shell = world.shell();
    shell.args(["open", "--", "sh", "-c", script]);
    Driver::spawn(shell)
}
