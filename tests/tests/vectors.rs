//! The vectors of docs/FORMAT.md, in both implementations.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bg_recorder::chain::Digest;
use bg_tests::forge::WALL_US;
use bg_tests::vector::Vector;

use crate::support::memory::Memory;
use crate::support::second::Second;

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn vectors() -> Vec<(String, Vector)> {
    let paths = fs::read_dir(dir()).unwrap().map(|entry| entry.unwrap().path());
    let mut vectors: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "vec"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, Vector::read(&fs::read_to_string(path).unwrap()))
        })
        .collect();
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    vectors
}

/// Long after the forged sessions ended.
const NOW_US: u64 = WALL_US + 3_600_000_000;

#[test]
fn every_vector_gets_its_verdict() {
    let vectors = vectors();
    assert!(vectors.len() > 80, "{}", vectors.len());
    for (name, vector) in vectors {
        let report = Memory::of(&vector).verify(NOW_US);
        assert_eq!(report.verdict.to_string(), vector.expect, "{name}: {report:?}");
        let found = vector.at.is_empty()
            || report.findings.iter().any(|finding| finding.object == vector.at);
        assert!(found, "{name}: nothing found at {}: {report:?}", vector.at);
    }
}

#[test]
fn the_second_implementation_agrees_on_every_vector() {
    let mut second = Second::start(&dir().join("keys/sign.pub.pem"), NOW_US);
    for (name, vector) in vectors() {
        let said = second.verify(&vector.session, &vector.objects);
        assert_eq!(said["verdict"], vector.expect.as_str(), "{name}: {said}");
        let report = Memory::of(&vector).verify(NOW_US);
        let counts = ["frames", "segments", "unsigned"].map(|count| said[count].as_u64().unwrap());
        let ours = [report.frames, report.segments, report.unsigned];
        assert_eq!(counts, ours, "{name}: {said} {report:?}");
    }
}

#[test]
fn what_must_not_open_does_not_open() {
    for (name, vector) in vectors().into_iter().filter(|(_, vector)| vector.expect != "broken") {
        let opened = Memory::of(&vector).open(&dir().join("keys/open.pem"), NOW_US);
        assert_eq!(opened.is_ok(), vector.opens == "yes", "{name}: {opened:?}");
    }
}

#[test]
fn both_implementations_open_to_the_same_bytes() {
    for (name, vector) in vectors().into_iter().filter(|(_, vector)| vector.opens == "yes") {
        let ours = Memory::of(&vector).open(&dir().join("keys/open.pem"), NOW_US).unwrap();
        let theirs = Second::open(&dir().join("keys"), &vector.session, &vector.objects);
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs), "{name}");
    }
}

#[test]
fn no_trusted_key_is_unverifiable_and_another_is_a_wrong_signer() {
    let vector = Vector::read(&fs::read_to_string(dir().join("intact.vec")).unwrap());
    let memory = Memory::of(&vector);
    assert_eq!(memory.verify_with(&[], NOW_US).verdict.to_string(), "unverifiable");
    let other = tempfile::tempdir().unwrap();
    let keys =
        bg_recorder::keys::local::LocalKeys::open_or_create(&other.path().join("keys")).unwrap();
    let stranger = bg_recorder::keys::KeyService::ring(&keys).sign.clone();
    assert_eq!(memory.verify_with(&[stranger], NOW_US).verdict.to_string(), "broken");
}

#[test]
fn what_a_standby_key_began_is_intact_where_that_key_is_trusted() {
    let vector = Vector::read(&fs::read_to_string(dir().join("begun_by_standby.vec")).unwrap());
    let standby = bg_tests::forge::standby().public().clone();
    let report = Memory::of(&vector).verify_with(&[standby], NOW_US);
    assert_eq!(report.verdict.to_string(), "intact", "{report:?}");
    assert!(report.findings[0].what.starts_with("signed by the standby key: "), "{report:?}");
    let mut second = Second::start(&dir().join("keys/standby.pub.pem"), NOW_US);
    let said = second.verify(&vector.session, &vector.objects);
    assert_eq!(
        (&said["verdict"], said["findings"].to_string().contains("standby")),
        (&"intact".into(), true)
    );
}

#[test]
fn what_was_made_without_the_key_service_is_noted_by_both_implementations() {
    let mut second = Second::start(&dir().join("keys/sign.pub.pem"), NOW_US);
    for (name, what) in [
        ("intact_epoch_for_escrow_alone", "epoch 1: made without KMS, only an escrow key opens it"),
        ("intact_begun_for_escrow_alone", "epoch 0: made without KMS, only an escrow key opens it"),
        ("intact_sealed_by_standby", "sealed by the standby key: the key service was away"),
    ] {
        let vector = Vector::read(&fs::read_to_string(dir().join(format!("{name}.vec"))).unwrap());
        let findings = Memory::of(&vector).verify(NOW_US).findings;
        assert!(findings.len() == 1 && findings[0].what == what, "{name}: {findings:?}");
        let said = second.verify(&vector.session, &vector.objects)["findings"].to_string();
        assert!(said.contains(what), "{name}: {said}");
    }
}

#[test]
fn a_tape_heard_of_just_now_is_live() {
    let vector = Vector::read(&fs::read_to_string(dir().join("unfinished.vec")).unwrap());
    assert_eq!(Memory::of(&vector).verify(WALL_US + 5_000_000).verdict.to_string(), "live");
}

#[test]
fn the_vectors_were_made_for_this_format() {
    let format = fs::read(dir().join("../../docs/FORMAT.md")).unwrap();
    let made_for = fs::read_to_string(dir().join("FORMAT.sha256")).unwrap();
    let hint = "docs/FORMAT.md changed: cargo run --release -p bg-tests --bin make-vectors";
    assert_eq!(made_for.trim(), Digest::of(&format).to_string(), "{hint}");
}

#[test]
fn the_vectors_are_those_that_the_forge_makes() {
    let made: BTreeSet<_> = bg_tests::faults::all(&dir().join("keys"))
        .into_iter()
        .map(|(name, vector)| (name.to_owned(), vector.fault, vector.expect, vector.at))
        .collect();
    let kept: BTreeSet<_> = vectors()
        .into_iter()
        .map(|(name, vector)| (name, vector.fault, vector.expect, vector.at))
        .collect();
    assert_eq!(made, kept, "stale: cargo run --release -p bg-tests --bin make-vectors");
}

#[test]
fn the_worked_example_is_the_vector() {
    let page = fs::read_to_string(dir().join("../../docs/FORMAT.md")).unwrap();
    let vector = Vector::read(&fs::read_to_string(dir().join("intact_one_segment.vec")).unwrap());
    let fresh = bg_tests::example::place(&page, &bg_tests::example::render(&vector));
    assert_eq!(page, fresh, "stale: cargo run --release -p bg-tests --bin make-vectors");
}
