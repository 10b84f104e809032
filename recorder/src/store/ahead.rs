//! Reading ahead: whoever reads a tape reads its objects in their order, and a far store takes its time for each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::format::session::ObjectName;
use crate::store::{Listed, ObjectStore, StoreError};

/// A store that fetches what will be asked for next, some objects at a time. It changes nothing but the time.
pub struct Ahead {
    store: Arc<dyn ObjectStore>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Default)]
struct Asked {
    /// The tape that was listed last: its prefix, its objects and their sizes.
    prefix: String,
    sizes: BTreeMap<ObjectName, u64>,
    /// What was asked for last.
    last: Option<ObjectName>,
    wanted: VecDeque<ObjectName>,
    slots: BTreeMap<ObjectName, Slot>,
    workers: usize,
    stop: bool,
}

enum Slot {
    Coming,
    Here(Vec<u8>),
}

impl Ahead {
    /// Takes a store. Threads are started once there is something to read ahead.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, shared: Arc::default() }
    }

    /// Asks for what follows `name`, and for more hands where there are too few.
    fn look_ahead(&self, state: &mut Asked, name: ObjectName) {
        let ahead = state.after(name);
        state.last = Some(name);
        state.wanted.clear();
        state.slots.retain(|slot, content| {
            *slot == name || ahead.contains(slot) || matches!(content, Slot::Coming)
        });
        state.wanted.extend(ahead.into_iter().filter(|next| !state.slots.contains_key(next)));
        while state.workers < WORKERS.min(state.wanted.len()) {
            let shared = Arc::clone(&self.shared);
            let store = Arc::clone(&self.store);
            let started =
                thread::Builder::new().name("ahead".into()).spawn(move || work(&shared, &*store));
            // Without threads everything is read when it is asked for.
            if started.is_err() {
                return;
            }
            state.workers += 1;
        }
        self.shared.changed.notify_all();
    }

    /// Returns what was read ahead, waiting for it if it is on its way.
    fn taken(&self, key: &str) -> Option<Vec<u8>> {
        let mut state = self.shared.state();
        let name = key.strip_prefix(&state.prefix)?.parse().ok()?;
        self.look_ahead(&mut state, name);
        while let Some(Slot::Coming) = state.slots.get(&name) {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.slots.remove(&name) {
            Some(Slot::Here(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

impl ObjectStore for Ahead {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put_new(key, bytes)
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        match self.taken(key) {
            Some(bytes) if bytes.len() as u64 > max => Err(StoreError::TooLarge(key.to_owned())),
            Some(bytes) => Ok(bytes),
            None => self.store.get(key, max),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let entries = self.store.list(prefix)?;
        let name =
            |entry: &Listed| Some((entry.key.strip_prefix(prefix)?.parse().ok()?, entry.len));
        let sizes = entries.iter().filter_map(name).collect();
        let mut state = self.shared.state();
        let workers = state.workers;
        *state = Asked { prefix: prefix.to_owned(), sizes, workers, ..Asked::default() };
        Ok(entries)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_all();
    }
}

impl std::fmt::Debug for Ahead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ahead(..)")
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Asked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Returns what will be asked for after `name`: a verifier takes each segment with its checkpoint, a player
    /// takes segments only.
    fn after(&self, name: ObjectName) -> Vec<ObjectName> {
        use ObjectName::{Checkpoint, Segment};
        let plays = matches!((self.last, name), (Some(Segment(last)), Segment(n)) if last.checked_add(1) == Some(n));
        let here = match name {
            Segment(n) => (n, 0),
            Checkpoint(n) => (n, 1),
            _ => return Vec::new(),
        };
        let numbers = here.0..here.0.saturating_add(WINDOW);
        let places = numbers.flat_map(|n| [(n, 0), (n, 1)]).filter(|place| *place > here);
        let mut bytes = 0;
        places
            .filter(|(_, part)| !plays || *part == 0)
            .map(|(n, part)| if part == 0 { Segment(n) } else { Checkpoint(n) })
            .filter_map(|next| self.sizes.get(&next).map(|len| (next, *len)))
            .take_while(|(_, len)| {
                bytes += len;
                bytes <= BYTES_MAX
            })
            .map(|(next, _)| next)
            .collect()
    }
}

fn work(shared: &Shared, store: &dyn ObjectStore) {
    let mut state = shared.state();
    while !state.stop {
        let Some(name) = state.wanted.pop_front() else {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let key = format!("{}{name}", state.prefix);
        let len = state.sizes.get(&name).copied().unwrap_or(0);
        state.slots.insert(name, Slot::Coming);
        drop(state);
        let read = store.get(&key, len);
        state = shared.state();
        // Meanwhile another tape may have been listed. What failed is asked for again when it is needed, and told
        // then.
        let ours = key.strip_prefix(&state.prefix).and_then(|rest| rest.parse().ok()) == Some(name);
        match (read, ours) {
            (Ok(bytes), true) if state.slots.contains_key(&name) => {
                drop(state.slots.insert(name, Slot::Here(bytes)))
            }
            (_, true) => drop(state.slots.remove(&name)),
            (_, false) => {}
        }
        shared.changed.notify_all();
    }
}

const WORKERS: usize = 8;
/// How many segments ahead, and how many bytes of them, at most.
const WINDOW: u64 = 16;
const BYTES_MAX: u64 = 2_097_152;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    /// A store that is far away.
    struct Far(AtomicUsize);

    impl ObjectStore for Far {
        fn put_new(&self, key: &str, _: &[u8]) -> Result<(), StoreError> {
            Err(StoreError::Exists(key.to_owned()))
        }

        fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(2));
            if key.ends_with("0000000007") {
                return Err(StoreError::Missing(key.to_owned()));
            }
            let bytes = key.as_bytes().to_vec();
            if bytes.len() as u64 > max {
                Err(StoreError::TooLarge(key.to_owned()))
            } else {
                Ok(bytes)
            }
        }

        fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
            let names = (0..40).flat_map(|n| [ObjectName::Segment(n), ObjectName::Checkpoint(n)]);
            let keys = names
                .chain([ObjectName::Genesis, ObjectName::Seal])
                .map(|name| format!("{prefix}{name}"));
            Ok(keys.map(|key| Listed { len: key.len() as u64, key, object: true }).collect())
        }
    }

    fn read(store: &dyn ObjectStore, names: &[ObjectName]) {
        for name in names {
            let key = format!("t/{name}");
            match store.get(&key, 100) {
                Ok(bytes) => assert_eq!(bytes, key.into_bytes()),
                Err(e) => assert!(matches!(e, StoreError::Missing(_)) && key.ends_with('7'), "{e}"),
            }
        }
    }

    #[test]
    fn it_gives_what_the_store_gives_in_any_order() {
        let far = Arc::new(Far(AtomicUsize::new(0)));
        let ahead = Ahead::new(Arc::clone(&far) as Arc<dyn ObjectStore>);
        ahead.list("t/").unwrap();
        let pairs: Vec<_> =
            (0..40).flat_map(|n| [ObjectName::Segment(n), ObjectName::Checkpoint(n)]).collect();
        read(&ahead, &[ObjectName::Genesis]);
        read(&ahead, &pairs);
        read(&ahead, &[ObjectName::Seal]);
        assert!(
            far.0.load(Ordering::SeqCst) <= 82 + 4,
            "each is read once, but for those that failed"
        );
        read(&ahead, &(0..40).map(ObjectName::Segment).collect::<Vec<_>>());
        let backwards: Vec<_> = pairs.iter().rev().copied().collect();
        read(&ahead, &backwards);
        assert!(matches!(ahead.get("t/segments/0000000001", 3), Err(StoreError::TooLarge(_))));
        read(&ahead, &[ObjectName::Segment(2), ObjectName::Segment(30), ObjectName::Segment(3)]);
    }

    #[test]
    fn another_tape_is_another_tape() {
        let ahead = Ahead::new(Arc::new(Far(AtomicUsize::new(0))));
        for prefix in ["a/", "b/", "a/"] {
            ahead.list(prefix).unwrap();
            for n in 0..5 {
                let key = format!("{prefix}{}", ObjectName::Segment(n));
                assert_eq!(ahead.get(&key, 100).unwrap(), key.into_bytes());
            }
        }
    }
}
