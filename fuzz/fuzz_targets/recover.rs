//! Recovery of a spool that a crash, a full disk or somebody has changed: it ends, it never calls a tape intact that has
//! no seal, it takes nothing away from the store, and a tail that was cut off is no damage.
//!
//! The input is a list of changes, four bytes each: to which file, what, and two bytes of where.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bg_recorder::clock::SystemClock;
use bg_recorder::codec::Header as CastHeader;
use bg_recorder::event::Event;
use bg_recorder::genesis::Limits;
use bg_recorder::keys::local::LocalKeys;
use bg_recorder::practice::Practice;
use bg_recorder::record::{Begins, Recorder, Setup};
use bg_recorder::recover::recover_all;
use bg_recorder::session::SessionId;
use bg_recorder::store::{Listed, ObjectStore, StoreError};
use bg_recorder::verdict::Verdict;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// A store in memory; closed, it takes nothing.
#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    closed: bool,
}

impl ObjectStore for Memory {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        if self.closed {
            let source = std::io::ErrorKind::TimedOut.into();
            return Err(StoreError::Failed { verb: "store", key: key.to_owned(), source });
        }
        let mut objects = self.objects.lock().expect("objects");
        if objects.contains_key(key) {
            return Err(StoreError::Exists(key.to_owned()));
        }
        objects.insert(key.to_owned(), bytes.to_vec());
        Ok(())
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

/// What a recorder that died has left.
struct Left {
    session: SessionId,
    prefix: String,
    /// Each file by its name in the spool; the last segment is still growing.
    files: Vec<(String, Vec<u8>)>,
    /// The mark that tells the spool from one that somebody made.
    lock: Vec<u8>,
    practice: Practice,
    keys: LocalKeys,
}

fn left() -> &'static Left {
    static LEFT: OnceLock<Left> = OnceLock::new();
    LEFT.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let practice = Practice { root: base.join(format!("bg-fuzz-{}", std::process::id())) };
        let open = || LocalKeys::open_or_create(&practice.keys()).expect("keys");
        let session = SessionId::mint();
        let recorder = Recorder::begin(Setup {
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
            store: Arc::new(Memory { closed: true, ..Memory::default() }),
            keys: Box::new(open()),
            clock: Arc::new(SystemClock),
            limits: Limits { segment_bytes: 512, ..Limits::default() },
            begins: Begins::Spooled,
        });
        let mut recorder = recorder.expect("a spooled genesis");
        let prefix = session.prefix(recorder.created());
        for n in 0..12 {
            recorder
                .accept(Event::Output(format!("line {n}\r\n").repeat(8 * n).as_bytes()))
                .expect("accepted");
        }
        let dir = practice.spool().join(session.to_string());
        let mut files = Vec::new();
        read(&dir, "", &mut files);
        let lock = fs::read(dir.join("lock")).expect("a lock");
        // A recorder that ends has no spool any more; here it ends without its store.
        drop(recorder.finish(Map::new(), Duration::ZERO));
        fs::remove_dir_all(&dir).expect("removed");
        let keys = open();
        Left { session, prefix, files, lock, practice, keys }
    })
}

fn read(dir: &Path, below: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry")) {
        let name = format!("{below}{}", entry.file_name().to_str().expect("a name"));
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else if name == "genesis" || name.contains('/') {
            files.push((name, fs::read(entry.path()).expect("a file")));
        }
    }
    files.sort();
}

fuzz_target!(|changes: &[u8]| {
    let left = left();
    let mut spool = left.files.clone();
    let store = Memory::default();
    let growing =
        spool.iter().rposition(|(name, _)| name.starts_with("segments/")).expect("a segment");
    let mut harmless = true;
    for change in changes.chunks_exact(4).take(8) {
        let at = usize::from(change[0]) % spool.len();
        let place = usize::from(u16::from_be_bytes([change[2], change[3]]));
        let shipped = || {
            let key = format!("{}{}", left.prefix, left.files[at].0);
            store.objects.lock().expect("objects").insert(key, left.files[at].1.clone());
        };
        let bytes = &mut spool[at].1;
        harmless &= change[1] % 7 == 0 || (change[1] % 7 == 1 && at == growing);
        match change[1] % 7 {
            1 => bytes.truncate(place),
            2 if place < bytes.len() => bytes[place] ^= 1 << (change[0] % 8),
            3 => bytes.clear(),
            4 => bytes.extend([change[0]].repeat(place)),
            5 => shipped(),
            6 => {
                shipped();
                spool[at].0.clear();
            }
            _ => {}
        }
    }
    let dir = left.practice.spool().join(left.session.to_string());
    for (name, bytes) in spool.iter().filter(|(name, _)| !name.is_empty()) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    fs::write(dir.join("lock"), &left.lock).expect("written");
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    for _ in 0..2 {
        let root = left.practice.spool();
        let state = &left.practice.root;
        for recovered in
            recover_all(&root, state, &store, &left.keys, &SystemClock).expect("a listing")
        {
            let verdict = recovered.outcome.as_ref().ok().map(|report| report.verdict);
            assert_ne!(verdict, Some(Verdict::Intact), "intact without a seal");
            assert!(!harmless || verdict == Some(Verdict::Recovered), "{:?}", recovered.outcome);
        }
    }
    drop(fs::remove_dir_all(&dir));
    drop(fs::remove_dir_all(dir.with_extension("fork")));
});
