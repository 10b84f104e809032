//! Shipping: spooled objects go to the store in their order, and are read back in their order while the next one is
//! stored; two in memory at most. It holds ciphertext and signed notes only.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::format::cause::chain;
use crate::format::chain::Digest;
use crate::format::segment::SEGMENT_MAX;
use crate::format::session::ObjectName;
use crate::store::dir::read_limited;
use crate::store::{ObjectStore, StoreError};

/// Ships the objects of one session.
#[derive(Debug)]
pub struct Shipper {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Shipping>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Shipping {
    queue: VecDeque<(ObjectName, Digest)>,
    progress: Progress,
    /// Why the store does not take the next object, or does not give the last one back.
    failing: [Option<Failing>; 2],
    stop: bool,
}

/// Since when, and why.
pub type Failing = (Instant, Arc<ShipError>);

/// The two halves of shipping.
#[derive(Debug, Clone, Copy)]
enum Half {
    Storing,
    ReadingBack,
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
    pub down: Option<Failing>,
    /// Why shipping stopped for good.
    pub fatal: Option<String>,
}

impl Shipper {
    /// Starts the threads, which read from `spool` and write below `prefix`.
    ///
    /// # Errors
    /// When no threads can be had.
    pub fn start(store: Arc<dyn ObjectStore>, spool: &Path, prefix: &str) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let carrier =
            Arc::new(Carrier { store, spool: spool.to_owned(), prefix: prefix.to_owned() });
        // No room in it: an object waits in the spool, not here.
        let (stored, inbox) = sync_channel(0);
        let theirs = Arc::clone(&shared);
        let its = Arc::clone(&carrier);
        thread::Builder::new()
            .name("ship".into())
            .spawn(move || store_all(&theirs, &its, &stored))?;
        let theirs = Arc::clone(&shared);
        thread::Builder::new()
            .name("readback".into())
            .spawn(move || read_back(&theirs, &carrier, &inbox))?;
        Ok(Self { shared })
    }

    /// Queues a whole object of `len` bytes, which have this digest.
    pub fn send(&self, name: ObjectName, len: u64, digest: Digest) {
        let mut state = self.shared.state();
        state.progress.waiting += 1;
        state.progress.waiting_bytes += len;
        state.queue.push_back((name, digest));
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
        let waits =
            |state: &mut Shipping| state.progress.fatal.is_none() && !enough(&state.progress);
        let state = self.shared.state();
        let waited = self.shared.changed.wait_timeout_while(state, patience, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.progress.clone()
    }
}

/// A view of how far shipping is.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// Returns since when, and why, the store does not take objects, if it does not.
    pub fn down(&self) -> Option<Failing> {
        self.0.state().progress.down.clone()
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
    fn state(&self) -> MutexGuard<'_, Shipping> {
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
        let bytes = self.read(name)?;
        self.put(name, &bytes)?;
        self.forget(name)
    }

    /// Stores bytes under a name and reads them back.
    ///
    /// # Errors
    /// When the store fails, or holds other bytes under this name.
    pub fn put(&self, name: ObjectName, bytes: &[u8]) -> Result<(), ShipError> {
        self.store(name, bytes)?;
        self.check(name, bytes)
    }

    fn read(&self, name: ObjectName) -> Result<Vec<u8>, ShipError> {
        read_limited(&self.spool.join(name.to_string()), SEGMENT_MAX).map_err(ShipError::Spool)
    }

    fn store(&self, name: ObjectName, bytes: &[u8]) -> Result<(), ShipError> {
        match self.store.put_new(&self.key(name), bytes) {
            // An earlier try may have stored it and then failed to say so.
            Ok(()) | Err(StoreError::Exists(_)) => Ok(()),
            Err(e) => Err(ShipError::Store(e)),
        }
    }

    fn check(&self, name: ObjectName, bytes: &[u8]) -> Result<(), ShipError> {
        let key = self.key(name);
        match self.store.get(&key, bytes.len() as u64) {
            Ok(stored) if stored == bytes => Ok(()),
            Ok(_) | Err(StoreError::TooLarge(_)) => Err(ShipError::Fork(key)),
            Err(e) => Err(ShipError::Store(e)),
        }
    }

    fn forget(&self, name: ObjectName) -> Result<(), ShipError> {
        let path = self.spool.join(name.to_string());
        if name == ObjectName::Genesis {
            Ok(())
        } else {
            fs::remove_file(path).map_err(ShipError::Spool)
        }
    }

    fn key(&self, name: ObjectName) -> String {
        format!("{}{name}", self.prefix)
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
    /// The spooled object is not what was written.
    #[error("{0} is not in the spool as it was written: its disk fails, or somebody changed it")]
    Changed(ObjectName),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl ShipError {
    /// Returns whether trying again may help.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Store(_))
    }

    /// Returns with what words the store refuses, where it is there and does.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Store(e) => e.refusal(),
            _ => None,
        }
    }
}

/// Stores one object after another. The next begins when this one is stored: whatever is lost, the store holds a
/// beginning of the tape.
fn store_all(shared: &Shared, carrier: &Carrier, stored: &SyncSender<(ObjectName, Vec<u8>)>) {
    while let Some((name, digest)) = shared.next() {
        let mut bytes = Vec::new();
        let done = shared.insist(Half::Storing, || {
            bytes = carrier.read(name)?;
            // What is in the store stays there: a disk that has lost something must not be believed.
            if Digest::of(&bytes) != digest {
                return Err(ShipError::Changed(name));
            }
            carrier.store(name, &bytes)
        });
        // Who reads back is gone only when shipping has failed for good.
        if !done || stored.send((name, bytes)).is_err() {
            return;
        }
    }
}

fn read_back(shared: &Shared, carrier: &Carrier, stored: &Receiver<(ObjectName, Vec<u8>)>) {
    for (name, bytes) in stored {
        let done = shared.insist(Half::ReadingBack, || {
            carrier.check(name, &bytes)?;
            carrier.forget(name)
        });
        if !done {
            return;
        }
        shared.state().carried(bytes.len() as u64);
        shared.changed.notify_all();
    }
}

impl Shared {
    /// Waits for the next object to store. `None`: there will be none, or shipping has failed for good.
    fn next(&self) -> Option<(ObjectName, Digest)> {
        let idle = |s: &mut Shipping| s.queue.is_empty() && !s.stop && s.progress.fatal.is_none();
        let waited = self.changed.wait_while(self.state(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.queue.pop_front().filter(|_| state.progress.fatal.is_none())
    }

    /// Tries until it is done; returns whether it is. What does not pass ends shipping, and so does a failure after
    /// the session's end.
    fn insist(&self, half: Half, mut step: impl FnMut() -> Result<(), ShipError>) -> bool {
        let mut pause = PAUSE_MIN;
        loop {
            let tried = step();
            let mut state = self.state();
            match tried {
                Ok(()) => {
                    state.failing(half, None);
                    return true;
                }
                Err(e) if e.passes() && !state.stop && state.progress.fatal.is_none() => {
                    state.failing(half, Some(Arc::new(e)));
                    self.changed.notify_all();
                    // The wait ends early when the session does.
                    let stopped = self.changed.wait_timeout_while(state, pause, |s| !s.stop);
                    drop(stopped.unwrap_or_else(PoisonError::into_inner));
                    pause = PAUSE_MAX.min(pause * 2);
                }
                Err(e) => {
                    state.progress.fatal.get_or_insert_with(|| chain(&e));
                    self.changed.notify_all();
                    return false;
                }
            }
        }
    }
}

impl Shipping {
    /// The store is down while either half fails, since the first of them did.
    fn failing(&mut self, half: Half, why: Option<Arc<ShipError>>) {
        let [storing, reading] = &mut self.failing;
        let own = match half {
            Half::Storing => storing,
            Half::ReadingBack => reading,
        };
        let since = own.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        *own = why.map(|why| (since, why));
        let failing = self.failing.iter().flatten().min_by_key(|(since, _)| *since);
        self.progress.down = failing.cloned();
    }

    fn carried(&mut self, len: u64) {
        self.progress.stored += 1;
        self.progress.stored_bytes += len;
        self.progress.waiting = self.progress.waiting.saturating_sub(1);
        self.progress.waiting_bytes = self.progress.waiting_bytes.saturating_sub(len);
    }
}

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
