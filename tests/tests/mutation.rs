//! A recorded tape, changed in every way that one hand can: `verify` must never call it intact, and both
//! implementations must say the same.

use bg_tests::vector::Objects;

use crate::support::memory::{Memory, objects_of};
use crate::support::second::Second;
use crate::support::world::World;

/// A small sealed tape of this build's own, with a segment that an idle second closed.
struct Sample {
    world: World,
    session: String,
    objects: Objects,
    now_us: u64,
}

impl Sample {
    fn record() -> Self {
        let world = World::new();
        let output =
            world.record("printf one; read -r _ < /dev/null; printf two; printf 'three\\n'");
        assert!(output.status.success(), "{output:?}");
        let tape = world.tape();
        let session = tape.id();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now_us = u64::try_from(now.as_micros()).unwrap() + 3_600_000_000;
        Self { session, objects: objects_of(&tape.dir), world, now_us }
    }

    fn memory(&self) -> Memory {
        Memory::new(&self.session, self.objects.clone(), &self.world.state().join("keys"))
    }

    fn second(&self) -> Second {
        Second::start(&self.world.state().join("keys/sign.pub.pem"), self.now_us)
    }

    /// Both implementations look at each of the changed tapes.
    fn none_is_intact(&self, changed: impl Iterator<Item = (String, Objects)>) {
        let mut second = self.second();
        let mut memory = self.memory();
        let mut count = 0;
        for (what, objects) in changed {
            memory.objects = objects;
            let report = memory.verify(self.now_us);
            let said = second.verify(&self.session, &memory.objects);
            assert_ne!(report.verdict.to_string(), "intact", "{what}");
            assert_eq!(said["verdict"], report.verdict.to_string(), "{what}: {report:?}, {said}");
            count += 1;
        }
        assert!(count > 0);
        memory.objects = self.objects.clone();
        assert_eq!(memory.verify(self.now_us).verdict.to_string(), "intact");
    }

    fn with(&self, name: &str, bytes: Option<Vec<u8>>) -> Objects {
        let mut objects = self.objects.clone();
        match bytes {
            Some(bytes) => objects.insert(name.to_owned(), bytes),
            None => objects.remove(name),
        };
        objects
    }
}

#[test]
fn no_flipped_byte_stays_unseen() {
    let sample = Sample::record();
    let tape = &sample;
    let flips = tape.objects.iter().flat_map(|(name, bytes)| {
        (0..bytes.len()).map(move |at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            (format!("{name}, byte {at}"), tape.with(name, Some(bytes)))
        })
    });
    sample.none_is_intact(flips);
}

#[test]
fn no_cut_or_lengthened_object_stays_unseen() {
    let sample = Sample::record();
    let tape = &sample;
    let lengths = tape.objects.iter().flat_map(|(name, bytes)| {
        (0..bytes.len()).step_by(7).chain([bytes.len() - 1, bytes.len() + 1]).map(move |len| {
            let mut bytes = bytes.clone();
            bytes.resize(len, 0);
            (format!("{name}, {len} bytes"), tape.with(name, Some(bytes)))
        })
    });
    sample.none_is_intact(lengths);
}

#[test]
fn no_moved_object_stays_unseen() {
    let sample = Sample::record();
    let names: Vec<String> = sample.objects.keys().cloned().collect();
    let next = ["segments/0000000001", "checkpoints/0000000001", "recovery", "other"];
    let mut changed = Vec::new();
    for name in &names {
        changed.push((format!("{name} dropped"), sample.with(name, None)));
        for target in names.iter().map(String::as_str).chain(next).filter(|target| target != name) {
            let bytes = sample.objects[name].clone();
            changed.push((
                format!("{name} copied to {target}"),
                sample.with(target, Some(bytes.clone())),
            ));
            let mut swapped = sample.with(target, Some(bytes));
            swapped.remove(name);
            if let Some(other) = sample.objects.get(target) {
                swapped.insert(name.clone(), other.clone());
            }
            changed.push((format!("{name} swapped with {target}"), swapped));
        }
    }
    sample.none_is_intact(changed.into_iter());
}

#[test]
fn no_moved_frame_stays_unseen() {
    let sample = Sample::record();
    let name = "segments/0000000000";
    let (head, records) = records(&sample.objects[name]);
    let mut changed = Vec::new();
    for at in 0..records.len() {
        let mut dropped = records.clone();
        dropped.remove(at);
        changed.push((format!("record {at} dropped"), dropped));
        for to in 0..=records.len() {
            let mut copied = records.clone();
            copied.insert(to, records[at].clone());
            changed.push((format!("record {at} copied to {to}"), copied));
        }
        for to in at + 1..records.len() {
            let mut swapped = records.clone();
            swapped.swap(at, to);
            changed.push((format!("records {at} and {to} swapped"), swapped));
        }
    }
    let written = |(what, records): (String, Vec<Vec<u8>>)| {
        (what, sample.with(name, Some([head.clone(), records.concat()].concat())))
    };
    sample.none_is_intact(changed.into_iter().map(written));
}

/// Splits a segment into its header and its records, the end marker last.
fn records(bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut at = word(12);
    let mut records = Vec::new();
    while at < bytes.len() {
        let len = if word(at) == 0 { 40 } else { 12 + word(at) };
        records.push(bytes[at..at + len].to_vec());
        at += len;
    }
    (bytes[..word(12)].to_vec(), records)
}
