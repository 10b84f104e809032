//! A whole tape from anywhere: verification ends, and nothing unsigned is intact.
//!
//! The input is a list of objects: one byte chooses a name, two bytes (big-endian) a length, then the bytes.
#![no_main]

use std::collections::BTreeMap;

use bg_recorder::store::{Listed, ObjectStore, StoreError};
use bg_recorder::tape::Tape;
use bg_recorder::verdict::Verdict;
use bg_recorder::verify::verify;
use libfuzzer_sys::fuzz_target;

struct Memory(BTreeMap<String, Vec<u8>>);

impl ObjectStore for Memory {
    fn put_new(&self, key: &str, _: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::Exists(key.to_owned()))
    }

    fn get(&self, key: &str, _: u64) -> Result<Vec<u8>, StoreError> {
        self.0.get(key).cloned().ok_or_else(|| StoreError::Missing(key.to_owned()))
    }

    fn list(&self, _: &str) -> Result<Vec<Listed>, StoreError> {
        let entry = |(key, bytes): (&String, &Vec<u8>)| Listed {
            key: key.clone(),
            len: bytes.len() as u64,
            object: true,
        };
        Ok(self.0.iter().map(entry).collect())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let names = [
        "genesis",
        "seal",
        "recovery",
        "segments/0000000000",
        "segments/0000000001",
        "checkpoints/0000000000",
        "checkpoints/0000000001",
        "segments/9999999999",
    ];
    let mut objects = BTreeMap::new();
    let mut rest = bytes;
    while let [name, high, low, more @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (object, more) = more.split_at(len);
        objects.insert(names[usize::from(*name) % names.len()].to_owned(), object.to_vec());
        rest = more;
    }
    let store = Memory(objects);
    let tape = Tape::list(&store, "", None).expect("a listing");
    assert_ne!(verify(&tape, &[], 0).verdict, Verdict::Intact);
});
