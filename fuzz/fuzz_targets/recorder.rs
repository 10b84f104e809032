//! The real recorder between a session and its store, through any order of events, ticks, steps of the clock and
//! puts that fail: the tape is intact, its last frames said what was lost, and what was accepted is read back.
//!
//! The input is a list of turns: a byte chooses what happens, the next says how much.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bg_recorder::base64;
use bg_recorder::clock::Clock;
use bg_recorder::codec::Header as CastHeader;
use bg_recorder::event::{Event, Notice};
use bg_recorder::genesis::{KMS_WRAP_ALG, Limits, WrapKey};
use bg_recorder::keys::local::LocalKeys;
use bg_recorder::keys::{
    KeyError, KeyOpener, KeyRing, KeyService, MintedKey, Secret, Wrap, WrapContext,
};
use bg_recorder::practice::Practice;
use bg_recorder::reader::{Events, Reader};
use bg_recorder::record::{Recorder, Setup};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{Listed, ObjectStore, StoreError};
use bg_recorder::tape::Tape;
use bg_recorder::verdict::Verdict;
use bg_recorder::verify::verify;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// Time passes when the input says so.
struct Hands {
    boot_us: AtomicU64,
    wall_us: AtomicU64,
}

impl Clock for Hands {
    fn wall_us(&self) -> u64 {
        self.wall_us.load(Ordering::Relaxed)
    }

    fn boot_us(&self) -> u64 {
        self.boot_us.load(Ordering::Relaxed)
    }
}

/// A store in memory, some of whose answers are lost after it stored the object.
#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// So many puts are stored, and told as failed by an earlier try's traces.
    lost: AtomicU64,
}

impl ObjectStore for Memory {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut objects = self.objects.lock().expect("objects");
        if objects.contains_key(key) {
            return Err(StoreError::Exists(key.to_owned()));
        }
        objects.insert(key.to_owned(), bytes.to_vec());
        match self.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)) {
            Ok(_) => Err(StoreError::Exists(key.to_owned())),
            Err(_) => Ok(()),
        }
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        let objects = self.objects.lock().expect("objects");
        let object = objects.get(key).ok_or_else(|| StoreError::Missing(key.to_owned()))?;
        if object.len() as u64 > max {
            Err(StoreError::TooLarge(key.to_owned()))
        } else {
            Ok(object.clone())
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let objects = self.objects.lock().expect("objects");
        let below = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(below
            .map(|(key, bytes)| Listed { key: key.clone(), len: bytes.len() as u64, object: true })
            .collect())
    }
}

/// Keys that are down now and then; the first three calls of a session never are. Signatures are real ones; a wrap is
/// the key itself after its context: RSA would take more time than all the rest.
struct Flaky {
    ring: KeyRing,
    calls: AtomicU64,
    down: Arc<AtomicU64>,
}

impl Flaky {
    fn answers(&self) -> Result<(), KeyError> {
        let began = self.calls.fetch_add(1, Ordering::Relaxed) >= 2;
        let down = self
            .down
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok();
        if began && down { Err(KeyError::Unavailable("down".into())) } else { Ok(()) }
    }
}

impl KeyService for Flaky {
    fn ring(&self) -> &KeyRing {
        &self.ring
    }

    fn mint(&self, context: &WrapContext) -> Result<MintedKey, KeyError> {
        self.answers()?;
        let key = Secret::generate()?;
        let wrapped = base64::encode(&[&context.label()[..], key.expose()].concat());
        Ok(MintedKey {
            key,
            wraps: vec![Wrap { key: OPEN.into(), alg: KMS_WRAP_ALG.into(), wrapped }],
            alone: None,
        })
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.answers()?;
        signer().sign(text)
    }
}

struct Opener;

impl KeyOpener for Opener {
    fn open(
        &self,
        context: &WrapContext,
        _: &[WrapKey],
        wraps: &[Wrap],
    ) -> Result<Secret, KeyError> {
        let wrapped = base64::decode(&wraps[0].wrapped).ok_or(KeyError::DoesNotOpen)?;
        let key = wrapped.strip_prefix(&context.label()[..]).ok_or(KeyError::DoesNotOpen)?;
        key.try_into().map(Secret::new).map_err(|_| KeyError::DoesNotOpen)
    }
}

/// Made once: an RSA key takes longer than hundreds of sessions.
fn signer() -> &'static LocalKeys {
    static KEYS: OnceLock<LocalKeys> = OnceLock::new();
    KEYS.get_or_init(|| LocalKeys::open_or_create(&practice().keys()).expect("keys"))
}

const OPEN: &str = "fuzz/open";

fn practice() -> &'static Practice {
    static PRACTICE: OnceLock<Practice> = OnceLock::new();
    PRACTICE.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        Practice { root: base.join(format!("bg-fuzz-{}", std::process::id())) }
    })
}

fuzz_target!(|turns: &[u8]| {
    let practice = practice();
    let store = Arc::new(Memory::default());
    let session = SessionId::mint();
    let down = Arc::new(AtomicU64::new(0));
    let clock = Arc::new(Hands {
        boot_us: AtomicU64::new(1_000_000),
        wall_us: AtomicU64::new(1_795_413_600_000_000),
    });
    let open = WrapKey { name: OPEN.into(), alg: KMS_WRAP_ALG.into(), spki_sha256: None };
    let ring = KeyRing { wrap: vec![open], ..signer().ring().clone() };
    let trusted = [ring.sign.clone()];
    let setup = Setup {
        session,
        about: Map::new(),
        cast: CastHeader {
            version: 2,
            width: 80,
            height: 24,
            timestamp: 0,
            title: None,
            command: None,
            env: Value::Null,
        },
        host_name: "fuzz".into(),
        state: practice.root.clone(),
        spool: practice.spool(),
        store: Arc::clone(&store) as Arc<dyn ObjectStore>,
        keys: Box::new(Flaky { ring, calls: AtomicU64::new(0), down: Arc::clone(&down) }),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        // Small enough that a short input turns epochs.
        limits: Limits {
            segment_bytes: 1_024,
            epoch_bytes: 3_072,
            epoch_ms: 4_000,
            ..Limits::default()
        },
        begins: bg_recorder::record::Begins::Stored,
    };
    let mut recorder = Recorder::begin(setup).expect("a stored genesis");
    let prefix = session.prefix(recorder.created());
    let mut output = Vec::new();
    let mut input = Vec::new();
    for turn in turns.chunks_exact(2).take(50) {
        let what = turn[0];
        let much = u64::from(turn[1]);
        // Escapes and base64 take, instrumented, most of the time: one turn in eight may need them.
        let byte = if much % 8 == 0 { what } else { b'a' + what % 26 };
        let bytes = [byte].repeat(1 + much as usize * if what & 0x80 == 0 { 1 } else { 4 });
        match what % 8 {
            0 | 1 => {
                recorder.accept(Event::Output(&bytes)).expect("accepted");
                output.extend_from_slice(&bytes);
            }
            2 => {
                recorder.accept(Event::Input(&bytes)).expect("accepted");
                input.extend_from_slice(&bytes);
            }
            3 => recorder.tick().expect("a tick"),
            4 => drop(clock.boot_us.fetch_add(much * 40_000, Ordering::Relaxed)),
            // The wall clock is set, either way.
            5 => drop(
                clock.wall_us.fetch_add((much * 40_000).wrapping_sub(4_000_000), Ordering::Relaxed),
            ),
            6 => {
                store.lost.store(much % 4, Ordering::Relaxed);
                down.store(much / 4 % 4, Ordering::Relaxed);
            }
            _ => recorder
                .accept(Event::Notice(&Notice::Redacted { bytes: much, by: None }))
                .and_then(|()| recorder.accept(Event::Resize { cols: u16::from(what), rows: 24 }))
                .expect("accepted"),
        }
    }
    down.store(0, Ordering::Relaxed);
    let closed = recorder.finish(Map::new(), Duration::from_secs(20)).expect("a sealed tape");
    assert_eq!(closed.progress.waiting, 0, "{:?}", closed.progress);
    let tape = Tape::list(&*store, &prefix, Some(session)).expect("a listing");
    let report = verify(&tape, &trusted, Stamp(clock.wall_us()).0);
    assert_eq!(report.verdict, Verdict::Intact, "{report:?}");
    let mut events =
        Events::begin(Reader::begin(&tape, &report, &Opener).expect("a reader")).expect("events");
    let mut shown = Vec::new();
    let mut typed = Vec::new();
    while let Some(event) = events.event().expect("an event") {
        match event.line.code {
            'o' => shown.extend_from_slice(event.bytes()),
            'i' => typed.extend_from_slice(event.bytes()),
            _ => {}
        }
    }
    assert!(shown == output && typed == input, "what was accepted is read back");
});
