//! Reading side by side: a list of thousands of small objects has no order to read ahead in, and a far store takes its
//! time for each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::store::{Listed, ObjectStore, StoreError};

/// A store of which some objects have been read already. It changes nothing but the time.
pub struct Abreast {
    store: Arc<dyn ObjectStore>,
    /// None: it is not there.
    read: BTreeMap<String, Option<Vec<u8>>>,
    /// What is below a prefix, where that has been listed already.
    listed: Option<(String, Vec<Listed>)>,
}

impl Abreast {
    /// Reads these objects, many at a time. What fails is read again when it is asked for, and told then.
    pub fn read(
        store: Arc<dyn ObjectStore>,
        keys: impl IntoIterator<Item = String>,
        max: u64,
    ) -> Self {
        let left: Vec<String> = keys.into_iter().collect();
        let hands = if left.len() > MANY { HANDS_FOR_MANY } else { HANDS }.min(left.len());
        let left = Mutex::new(left);
        let state = Mutex::new((BTreeMap::new(), 0));
        let work = || {
            loop {
                let Some(key) = lock(&left).pop() else { return };
                let found = match store.get(&key, max) {
                    Ok(bytes) => Some(bytes),
                    Err(StoreError::Missing(_)) => None,
                    Err(_) => continue,
                };
                let mut state = lock(&state);
                state.1 += found.as_ref().map_or(0, Vec::len);
                if state.1 > BYTES_MAX {
                    return;
                }
                state.0.insert(key, found);
            }
        };
        thread::scope(|scope| {
            for _ in 1..hands {
                let hand = thread::Builder::new().name("abreast".into());
                // Without threads this one reads everything.
                if hand.spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        let (read, _) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self { store, read, listed: None }
    }

    /// Gives the answer to lists below a prefix, too.
    #[must_use]
    pub fn listed(mut self, prefix: &str, entries: Vec<Listed>) -> Self {
        self.listed = Some((prefix.to_owned(), entries));
        self
    }
}

impl ObjectStore for Abreast {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put_new(key, bytes)
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        match self.read.get(key) {
            Some(Some(bytes)) if bytes.len() as u64 > max => {
                Err(StoreError::TooLarge(key.to_owned()))
            }
            Some(Some(bytes)) => Ok(bytes.clone()),
            Some(None) => Err(StoreError::Missing(key.to_owned())),
            None => self.store.get(key, max),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        match &self.listed {
            Some((above, entries)) if prefix.starts_with(above.as_str()) => {
                let from = entries.partition_point(|entry| entry.key.as_str() < prefix);
                let below = entries.iter().skip(from);
                Ok(below.take_while(|entry| entry.key.starts_with(prefix)).cloned().collect())
            }
            _ => self.store.list(prefix),
        }
    }
}

impl std::fmt::Debug for Abreast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Abreast(..)")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many objects are read at a time.
const HANDS: usize = 32;
/// How many where there are more than this: ten thousand are read in four seconds from a store 30 ms away.
const HANDS_FOR_MANY: usize = 96;
const MANY: usize = 1_024;
/// How many bytes are read before they are asked for, at most.
const BYTES_MAX: usize = 33_554_432;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A store that counts what it is asked.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl ObjectStore for Counted {
        fn put_new(&self, key: &str, _: &[u8]) -> Result<(), StoreError> {
            Err(StoreError::Exists(key.to_owned()))
        }

        fn get(&self, key: &str, _: u64) -> Result<Vec<u8>, StoreError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            match key {
                "a/missing" => Err(StoreError::Missing(key.to_owned())),
                "a/large" => Err(StoreError::TooLarge(key.to_owned())),
                key => Ok(key.as_bytes().to_vec()),
            }
        }

        fn list(&self, _: &str) -> Result<Vec<Listed>, StoreError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Vec::new())
        }
    }

    #[test]
    fn what_was_read_is_not_asked_for_again() {
        let counted = Arc::new(Counted::default());
        let asked = || counted.0.load(Ordering::SeqCst);
        let keys: Vec<String> = (0..100).map(|n| format!("a/{n:03}")).collect();
        let more = ["a/missing", "a/large"].map(str::to_owned);
        let store: Arc<dyn ObjectStore> = counted.clone();
        let abreast = Abreast::read(store, keys.iter().cloned().chain(more), 9);
        assert_eq!(asked(), 102);
        for key in &keys {
            assert_eq!(abreast.get(key, 9).unwrap(), key.as_bytes());
        }
        assert!(matches!(abreast.get("a/000", 2), Err(StoreError::TooLarge(_))));
        assert!(matches!(abreast.get("a/missing", 9), Err(StoreError::Missing(_))));
        assert_eq!(asked(), 102);
        assert!(matches!(abreast.get("a/large", 9), Err(StoreError::TooLarge(_))));
        assert_eq!((abreast.get("b", 9).unwrap(), asked()), (b"b".to_vec(), 104));
    }

    #[test]
    fn a_list_that_is_known_answers_for_what_is_below_it() {
        let counted = Arc::new(Counted::default());
        let entry = |key: &str| Listed { key: key.to_owned(), len: 1, object: true };
        let entries: Vec<Listed> = ["r/a/x", "r/b/x", "r/b/y", "r/c/x"].map(entry).to_vec();
        let store: Arc<dyn ObjectStore> = counted.clone();
        let abreast = Abreast::read(store, [], 9).listed("r/", entries.clone());
        assert_eq!(abreast.list("r/b/").unwrap(), entries[1..3]);
        assert!(abreast.list("r/d/").unwrap().is_empty());
        assert_eq!(counted.0.load(Ordering::SeqCst), 0);
        assert!(abreast.list("s/").unwrap().is_empty() && counted.0.load(Ordering::SeqCst) == 1);
    }
}
