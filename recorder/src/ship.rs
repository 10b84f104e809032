//! Shipping: spooled objects go to the store in their order, one in memory at a time. It holds ciphertext and
//! signed notes only.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::cause::chain;
use crate::dir::read_limited;
use crate::segment::SEGMENT_MAX;
use crate::session::ObjectName;
use crate::store::{ObjectStore, StoreError};

/// Ships the objects of one session.
#[derive(Debug)]
pub struct Shipper {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(ObjectName, u64)>,
    progress: Progress,
    stop: bool,
}

/// How far shipping is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Objects in the store, read back and equal.
    pub stored: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Objects that wait in the spool.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Since when, and why, the store does not take objects.
    pub down: Option<(Instant, Arc<ShipError>)>,
    /// Why shipping stopped for good.
    pub fatal: Option<String>,
}

impl Shipper {
    /// Starts the thread, which reads from `spool` and writes below `prefix`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(store: Arc<dyn ObjectStore>, spool: &Path, prefix: &str) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let carrier = Carrier { store, spool: spool.to_owned(), prefix: prefix.to_owned() };
        thread::Builder::new().name("ship".into()).spawn(move || work(&theirs, &carrier))?;
        Ok(Self { shared })
    }

    /// Queues a whole object of `len` bytes.
    pub fn send(&self, name: ObjectName, len: u64) {
        let mut state = self.shared.state();
        state.progress.waiting += 1;
        state.progress.waiting_bytes += len;
        state.queue.push_back((name, len));
        self.shared.changed.notify_all();
    }

    /// Returns a view for who must know and does not hold the shipper.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Waits until all is shipped, shipping has failed for good, or the patience is over.
    pub fn drain(&self, patience: Duration) -> Progress {
        self.wait(patience, |progress| progress.waiting == 0)
    }

    /// Waits until the first object is shipped, or the store refused it.
    pub fn first(&self, patience: Duration) -> Progress {
        self.wait(patience, |progress| progress.stored > 0 || progress.down.is_some())
    }

    fn wait(&self, patience: Duration, enough: impl Fn(&Progress) -> bool) -> Progress {
        let waits = |state: &mut State| state.progress.fatal.is_none() && !enough(&state.progress);
        let state = self.shared.state();
        let waited = self.shared.changed.wait_timeout_while(state, patience, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.progress.clone()
    }
}

/// A view of how far shipping is.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// Returns since when the store does not take objects, if it does not.
    pub fn down(&self) -> Option<Instant> {
        self.0.state().progress.down.as_ref().map(|(since, _)| *since)
    }

    /// Returns why shipping stopped for good, if it did.
    pub fn fatal(&self) -> Option<String> {
        self.0.state().progress.fatal.clone()
    }

    /// Returns how many objects are in the store.
    pub fn stored(&self) -> u64 {
        self.0.state().progress.stored
    }

    /// Returns how many bytes wait in the spool.
    pub fn waiting_bytes(&self) -> u64 {
        self.0.state().progress.waiting_bytes
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries objects from a spool directory to a store.
pub struct Carrier {
    /// To where.
    pub store: Arc<dyn ObjectStore>,
    /// From where.
    pub spool: PathBuf,
    /// Below which prefix.
    pub prefix: String,
}

impl Carrier {
    /// Stores one object, reads it back, and removes the spooled file. The genesis stays: it says whose spool
    /// this is.
    ///
    /// # Errors
    /// When the spool or the store fails, or the store holds other bytes under this name.
    pub fn carry(&self, name: ObjectName) -> Result<(), ShipError> {
        let path = self.spool.join(name.to_string());
        let bytes = read_limited(&path, SEGMENT_MAX).map_err(ShipError::Spool)?;
        self.put(name, &bytes)?;
        if name == ObjectName::Genesis { Ok(()) } else { fs::remove_file(path).map_err(ShipError::Spool) }
    }

    /// Stores bytes under a name and reads them back.
    ///
    /// # Errors
    /// When the store fails, or holds other bytes under this name.
    pub fn put(&self, name: ObjectName, bytes: &[u8]) -> Result<(), ShipError> {
        let key = format!("{}{name}", self.prefix);
        match self.store.put_new(&key, bytes) {
            // An earlier try may have stored it and then failed to say so.
            Ok(()) | Err(StoreError::Exists(_)) => {}
            Err(e) => return Err(ShipError::Store(e)),
        }
        match self.store.get(&key, bytes.len() as u64) {
            Ok(stored) if stored == bytes => Ok(()),
            Ok(_) | Err(StoreError::TooLarge(_)) => Err(ShipError::Fork(key)),
            Err(e) => Err(ShipError::Store(e)),
        }
    }
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Carrier({} to {})", self.spool.display(), self.prefix)
    }
}

/// Why an object was not shipped.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The store holds other bytes under this name: two recorders, or somebody who writes for us.
    #[error("fork: {0} is in the store with other bytes")]
    Fork(String),
    /// The spooled object cannot be read or removed.
    #[error("cannot use the spool")]
    Spool(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl ShipError {
    /// Returns whether trying again may help.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

fn work(shared: &Shared, carrier: &Carrier) {
    let mut pause = PAUSE_MIN;
    loop {
        let mut state = shared.state();
        while state.queue.is_empty() && !state.stop {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let next = state.queue.front().copied();
        drop(state);
        let Some((name, len)) = next else { return };
        let carried = carrier.carry(name);
        let mut state = shared.state();
        match carried {
            Ok(()) => {
                pause = PAUSE_MIN;
                state.carried(len);
            }
            Err(e) if e.passes() && !state.stop => {
                let since = state.progress.down.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                state.progress.down = Some((since, Arc::new(e)));
                shared.changed.notify_all();
                // The wait ends early when the session does.
                let stopped = shared.changed.wait_timeout_while(state, pause, |s| !s.stop);
                drop(stopped.unwrap_or_else(PoisonError::into_inner));
                pause = PAUSE_MAX.min(pause * 2);
                continue;
            }
            Err(e) => {
                state.progress.fatal = Some(chain(&e));
                shared.changed.notify_all();
                return;
            }
        }
        shared.changed.notify_all();
    }
}

impl State {
    fn carried(&mut self, len: u64) {
        self.queue.pop_front();
        self.progress.stored += 1;
        self.progress.stored_bytes += len;
        self.progress.waiting = self.progress.waiting.saturating_sub(1);
        self.progress.waiting_bytes = self.progress.waiting_bytes.saturating_sub(len);
        self.progress.down = None;
    }
}

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
