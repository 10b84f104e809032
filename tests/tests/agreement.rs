//! Two verifiers, one answer: texts that people write by hand, bent at random, judged by both.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bg_recorder::genesis::Genesis;
use bg_tests::forge::{Bend, End, WALL_US, forge};
use bg_tests::people::Key;
use bg_tests::plea::{Plea, plead};

use crate::support::memory::Memory;
use crate::support::random::{OPTIONS, Random};
use crate::support::second::Second;

#[test]
fn both_verifiers_read_the_same_options() {
    agree(1..400, |genesis| {
        let mut random = Random(SEED.load(Ordering::SeqCst));
        plead(genesis, |plea| {
            let options = random.tokens(OPTIONS);
            plea.signers =
                plea.signers.replace("bob@example.com ", &format!("bob@example.com {options} "));
        });
    });
}

#[test]
fn both_verifiers_read_the_same_principals() {
    agree(1..200, |genesis| {
        let mut random = Random(SEED.load(Ordering::SeqCst));
        plead(genesis, |plea| {
            let principals = random.tokens(PRINCIPALS);
            plea.signers = plea.signers.replace("bob@example.com ", &format!("{principals} "));
        });
    });
}

#[test]
fn both_verifiers_read_the_same_file() {
    agree(1..300, |genesis| {
        let mut random = Random(SEED.load(Ordering::SeqCst));
        plead(genesis, |plea| {
            plea.signers += &format!("zoe@example.com {}\r\n", Key::Ed25519(30).line());
            bend(plea, &mut random);
        });
    });
}

/// Changes one byte of the allowed_signers text.
fn bend(plea: &mut Plea, random: &mut Random) {
    let mut bytes = plea.signers.clone().into_bytes();
    let at = random.below(bytes.len());
    let byte = b" \t\r\n#\"=,!*?\\a0"[random.below(14)];
    match random.below(3) {
        0 => drop(bytes.remove(at)),
        1 => bytes.insert(at, byte),
        _ => bytes[at] = byte,
    }
    plea.signers = String::from_utf8(bytes).unwrap();
}

fn agree(seeds: std::ops::Range<u64>, genesis: fn(&mut Genesis)) {
    let one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys");
    let now = WALL_US + 3_600_000_000;
    let mut second = Second::start(&keys.join("sign.pub.pem"), now);
    let mut seen = std::collections::BTreeMap::new();
    for seed in seeds {
        SEED.store(seed, Ordering::SeqCst);
        let (session, objects) =
            forge(&keys, &Bend { genesis, segments: 1, end: End::Seal, ..Bend::default() });
        let said = second.verify(&session.to_string(), &objects);
        let report = Memory::new(&session.to_string(), objects, &keys).verify(now);
        let ours = report.verdict.to_string();
        assert_eq!(said["verdict"], ours.as_str(), "seed {seed}: {said} {report:?}");
        *seen.entry(ours).or_insert(0) += 1;
    }
    drop(one);
    assert!(seen.len() == 2 && seen.values().all(|count| *count > 3), "one-sided: {seen:?}");
}

const PRINCIPALS: &[&str] = &[
    "bob@example.com",
    "*",
    "?",
    ",",
    ",",
    "!",
    "bob",
    "@example.com",
    "\u{e9}",
    "#",
    "\"",
    "carol@*",
    "b?b",
    "\\",
];
static SEED: AtomicU64 = AtomicU64::new(0);
/// The seed is shared: one test at a time.
static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
