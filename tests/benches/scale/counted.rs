//! The real store and the real keys, with a count of what was asked of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bg_recorder::keys::{KeyError, KeyRing, KeyService, MintedKey, WrapContext};
use bg_recorder::segment::{Header, Record, Walk};
use bg_recorder::store::{Listed, ObjectStore, StoreError};

use crate::load::Kind;

/// A store that says what was stored in it, and when.
pub struct CountedStore {
    inner: Arc<dyn ObjectStore>,
    gets: AtomicU64,
    lists: AtomicU64,
    puts: Mutex<Vec<Put>>,
}

/// A put that was answered.
#[derive(Clone)]
pub struct Put {
    pub key: String,
    pub len: u64,
    /// How long it took.
    pub took: Duration,
    pub done: Instant,
    /// The first frame of a segment, and how many it has.
    pub frames: Option<(u64, u64)>,
}

impl CountedStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        let gets = AtomicU64::new(0);
        let lists = AtomicU64::new(0);
        Self { inner, gets, lists, puts: Mutex::default() }
    }

    pub fn gets(&self) -> u64 {
        self.gets.load(Ordering::Relaxed)
    }

    /// Returns the puts so far, in the order of their answers.
    pub fn puts(&self) -> Vec<Put> {
        self.puts.lock().unwrap().clone()
    }
}

impl ObjectStore for CountedStore {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let began = Instant::now();
        self.inner.put_new(key, bytes)?;
        let done = Instant::now();
        let took = began.elapsed();
        let frames = key.contains("/segments/").then(|| frames(bytes));
        let put = Put { key: key.to_owned(), len: bytes.len() as u64, took, done, frames };
        self.puts.lock().unwrap().push(put);
        Ok(())
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        self.gets.fetch_add(1, Ordering::Relaxed);
        self.inner.get(key, max)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list(prefix)
    }
}

fn frames(segment: &[u8]) -> (u64, u64) {
    let (header, head) = Header::decode(segment).expect("a segment");
    let mut walk = Walk::new(&header, head);
    while let Ok(Record::Frame { .. }) = walk.step(segment) {}
    // It counts on from the header's first frame.
    (header.first_frame, walk.frames() - header.first_frame)
}

/// How often each kind of session asked the key service.
#[derive(Default)]
pub struct KeyCalls(Mutex<BTreeMap<Kind, (u64, u64)>>);

impl KeyCalls {
    /// Returns data keys and signatures of a kind.
    pub fn of(&self, kind: Kind) -> (u64, u64) {
        self.0.lock().unwrap().get(&kind).copied().unwrap_or_default()
    }

    fn add(&self, kind: Kind, minted: u64, signed: u64) {
        let mut calls = self.0.lock().unwrap();
        let of = calls.entry(kind).or_default();
        *of = (of.0 + minted, of.1 + signed);
    }
}

/// Keys that are counted.
pub struct CountedKeys {
    pub inner: Box<dyn KeyService>,
    pub calls: Arc<KeyCalls>,
    pub kind: Kind,
}

impl KeyService for CountedKeys {
    fn ring(&self) -> &KeyRing {
        self.inner.ring()
    }

    fn mint(&self, context: &WrapContext) -> Result<MintedKey, KeyError> {
        self.calls.add(self.kind, 1, 0);
        self.inner.mint(context)
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.calls.add(self.kind, 0, 1);
        self.inner.sign(text)
    }
}
