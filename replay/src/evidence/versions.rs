//! Which of several versions of an object is read: the first one that the tape's notes name (FORMAT.md 3). What is
//! written over an object, or a marker that is put over it, must not hide what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bg_aws::archive::Archive;
use bg_aws::s3::S3Store;
use bg_aws::surplus::{History, Version};
use bg_recorder::chain::Digest;
use bg_recorder::checkpoint::Checkpoint;
use bg_recorder::closing::{Recovery, Seal};
use bg_recorder::note::{NOTE_MAX, Note, NoteKind};
use bg_recorder::segment::SEGMENT_MAX;
use bg_recorder::session::ObjectName;
use bg_recorder::store::{Listed, ObjectStore, StoreError};

/// A store that reads chosen versions of some objects.
pub struct Versions {
    store: Arc<dyn ObjectStore>,
    bucket: Option<Arc<S3Store>>,
    chosen: Mutex<BTreeMap<String, Version>>,
}

impl Versions {
    /// Takes an archive. Until something is chosen, its objects are read as they are.
    pub fn of(archive: &Archive) -> Self {
        let store = Arc::clone(&archive.store);
        Self { store, bucket: archive.bucket.clone(), chosen: Mutex::default() }
    }

    /// Chooses for each object of a tape that has a history. What cannot be read stays as it is.
    pub fn choose(&self, prefix: &str, histories: &[History]) {
        let Some(bucket) = &self.bucket else { return };
        let past = Past { store: &*self.store, bucket, prefix, histories };
        let chosen = histories
            .iter()
            .filter_map(|history| Some((history.key.clone(), past.chosen(history)?)));
        *self.chosen() = chosen.collect();
    }

    fn chosen(&self) -> MutexGuard<'_, BTreeMap<String, Version>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectStore for Versions {
    fn put_new(&self, key: &str, _: &[u8]) -> Result<(), StoreError> {
        // An auditor writes nothing.
        Err(StoreError::Exists(key.to_owned()))
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        let version = self.chosen().get(key).cloned();
        match (version, &self.bucket) {
            (Some(version), Some(bucket)) => bucket.version(key, &version.id, max),
            _ => self.store.get(key, max),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let mut listed = self.store.list(prefix)?;
        let chosen = self.chosen();
        listed.retain(|entry| !chosen.contains_key(&entry.key));
        let below = chosen.iter().filter(|(key, _)| key.starts_with(prefix));
        listed.extend(below.map(|(key, version)| Listed {
            key: key.clone(),
            len: version.len,
            object: true,
        }));
        listed.sort();
        Ok(listed)
    }
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Versions(..)")
    }
}

/// All versions of a tape's objects.
struct Past<'a> {
    store: &'a dyn ObjectStore,
    bucket: &'a S3Store,
    prefix: &'a str,
    histories: &'a [History],
}

impl Past<'_> {
    /// Returns the first version that a note of the tape names, or else the first of all: puts are create-only, so
    /// that is the one that its recorder wrote and read back.
    fn chosen(&self, history: &History) -> Option<Version> {
        let first = history.versions.first()?;
        let name: ObjectName = history.key.strip_prefix(self.prefix)?.parse().ok()?;
        let mut readable = history.deleted;
        if history.versions.len() > 1 {
            let named = self.named(name);
            for version in history.versions.iter().take(VERSIONS_MAX) {
                let bytes = self.bucket.version(&history.key, &version.id, SEGMENT_MAX);
                readable |= bytes.is_ok();
                if bytes.is_ok_and(|bytes| named.contains(&Digest::of(&bytes))) {
                    return Some(version.clone());
                }
            }
        }
        // Who may not read versions still reads the newest.
        readable.then(|| first.clone())
    }

    /// Returns the digests by which the notes that come next name an object.
    fn named(&self, name: ObjectName) -> BTreeSet<Digest> {
        let next = match name {
            ObjectName::Genesis => ObjectName::Checkpoint(0),
            ObjectName::Segment(n) => ObjectName::Checkpoint(n),
            ObjectName::Checkpoint(n) => ObjectName::Checkpoint(n.saturating_add(1)),
            ObjectName::Seal | ObjectName::Recovery => return BTreeSet::new(),
        };
        let namers = [next, ObjectName::Seal, ObjectName::Recovery];
        let listed = namers.into_iter().flat_map(|namer| {
            self.all(namer).into_iter().flat_map(move |bytes| objects(namer, &bytes))
        });
        listed.filter(|(listed, _)| *listed == name).map(|(_, digest)| digest).collect()
    }

    /// Returns the bytes of every version of an object.
    fn all(&self, name: ObjectName) -> Vec<Vec<u8>> {
        let key = format!("{}{name}", self.prefix);
        let max = NOTE_MAX as u64;
        let history = self.histories.iter().find(|history| history.key == key);
        let Some(history) = history else { return self.store.get(&key, max).into_iter().collect() };
        let versions = history.versions.iter().take(VERSIONS_MAX);
        versions.filter_map(|version| self.bucket.version(&key, &version.id, max).ok()).collect()
    }
}

fn objects(namer: ObjectName, bytes: &[u8]) -> Vec<(ObjectName, Digest)> {
    let listed = || {
        let kind = NoteKind::of(namer)?;
        let note = Note::parse(kind, bytes).ok()?;
        Some(match kind {
            NoteKind::Checkpoint => note.read::<Checkpoint>().ok()?.objects.to_vec(),
            NoteKind::Seal => note.read::<Seal>().ok()?.objects.to_vec(),
            NoteKind::Recovery => note.read::<Recovery>().ok()?.objects,
            _ => return None,
        })
    };
    listed().unwrap_or_default()
}

/// How many versions of one object are looked at, from the first on.
const VERSIONS_MAX: usize = 16;
