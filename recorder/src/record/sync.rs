//! The syncer: fdatasync(2) on a thread of its own, so that a keystroke never waits for the disk, unless that is
//! hopelessly behind.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Syncs what was written at most `sync_ms` after the first write, and at once where asked.
#[derive(Debug)]
pub struct Syncer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Unsynced>,
    wake: Condvar,
    idle: Condvar,
}

#[derive(Debug, Default)]
struct Unsynced {
    /// The growing file, while it has bytes that no sync has covered.
    dirty: Option<Arc<File>>,
    /// Closed files and directories, at most [`DUE_MAX`].
    due: Vec<Arc<File>>,
    busy: bool,
    /// The thread looks again by itself within the bound: nobody has to wake it.
    awake: bool,
    stop: bool,
    failed: Option<String>,
}

impl Syncer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(sync_ms: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let patience = Duration::from_millis(sync_ms);
        thread::Builder::new().name("sync".into()).spawn(move || work(&theirs, patience))?;
        Ok(Self { shared })
    }

    /// Says that the growing file has new bytes.
    pub fn dirty(&self, file: &Arc<File>) {
        let mut state = self.shared.state();
        if state.dirty.is_none() {
            state.dirty = Some(Arc::clone(file));
            if !state.awake {
                self.shared.wake.notify_one();
            }
        }
    }

    /// Says that a file is whole.
    pub fn closed(&self, file: Arc<File>) {
        self.shared.state().dirty = None;
        self.due(file);
        self.shared.wake.notify_one();
    }

    /// Says that a directory has a new entry.
    pub fn directory(&self, dir: Arc<File>) {
        self.due(dir);
    }

    /// A disk that is behind is waited for: each file that waits is a descriptor, and bytes that a power cut takes.
    fn due(&self, file: Arc<File>) {
        let full = |s: &mut Unsynced| s.due.len() >= DUE_MAX && s.failed.is_none();
        let waited = self.shared.idle.wait_while(self.shared.state(), full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if !state.due.iter().any(|due| Arc::ptr_eq(due, &file)) {
            state.due.push(file);
        }
    }

    /// Fails once any sync has failed: what it covered may not be on the disk (fsync(2), EIO).
    ///
    /// # Errors
    /// The failed sync's.
    pub fn check(&self) -> io::Result<()> {
        match &self.shared.state().failed {
            Some(why) => Err(io::Error::other(format!("a sync failed: {why}"))),
            None => Ok(()),
        }
    }

    /// Waits until everything was synced.
    ///
    /// # Errors
    /// When a sync failed.
    pub fn settle(&self) -> io::Result<()> {
        let mut state = self.shared.state();
        if let Some(file) = state.dirty.take() {
            state.due.push(file);
        }
        self.shared.wake.notify_one();
        while (state.busy || !state.due.is_empty()) && state.failed.is_none() {
            state = self.shared.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        self.check()
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Unsynced> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(shared: &Shared, patience: Duration) {
    let mut state = shared.state();
    let mut quiet = QUIET_MAX;
    loop {
        if quiet >= QUIET_MAX {
            state.awake = false;
            state = shared
                .wake
                .wait_while(state, |s| s.dirty.is_none() && s.due.is_empty() && !s.stop)
                .unwrap_or_else(PoisonError::into_inner);
        }
        // While frames come now and then, it looks after each `patience`: a keystroke need not wake it, and more
        // frames may join a sync until the bound is reached.
        state.awake = true;
        if state.due.is_empty() && !state.stop {
            state = shared
                .wake
                .wait_timeout_while(state, patience, |s| s.due.is_empty() && !s.stop)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if state.due.is_empty() && state.dirty.is_none() && !state.stop {
            quiet += 1;
            continue;
        }
        quiet = 0;
        let mut files = std::mem::take(&mut state.due);
        files.extend(state.dirty.take());
        if files.is_empty() && state.stop {
            return;
        }
        state.busy = true;
        shared.idle.notify_all();
        drop(state);
        let failed = files.iter().find_map(|file| file.sync_data().err());
        state = shared.state();
        state.busy = false;
        if let Some(e) = failed {
            state.failed = Some(e.to_string());
        }
        shared.idle.notify_all();
    }
}

/// After so many looks at nothing new the thread sleeps until it is woken.
const QUIET_MAX: u32 = 20;
/// The most files that wait for their sync.
const DUE_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose sync fails: fsync(2) of a pipe is EINVAL.
    fn unsyncable() -> (std::io::PipeReader, Arc<File>) {
        let (reader, writer) = std::io::pipe().unwrap();
        (reader, Arc::new(File::from(std::os::fd::OwnedFd::from(writer))))
    }

    #[test]
    fn a_written_file_is_synced_without_being_asked() {
        let (syncer, (_reader, file)) = (Syncer::start(50).unwrap(), unsyncable());
        syncer.dirty(&file);
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while syncer.check().is_ok() {
            assert!(std::time::Instant::now() < deadline, "no sync was begun");
            thread::yield_now();
        }
    }

    #[test]
    fn no_more_files_wait_than_the_limit() {
        let syncer = Syncer::start(50).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let shared = Arc::new(File::open(dir.path()).unwrap());
        for n in 0..20 * DUE_MAX {
            syncer.directory(Arc::clone(&shared));
            syncer.closed(Arc::new(File::create(dir.path().join(n.to_string())).unwrap()));
            let state = syncer.shared.state();
            assert!(state.due.len() <= DUE_MAX);
            assert!(state.due.iter().filter(|due| Arc::ptr_eq(due, &shared)).count() <= 1);
        }
        syncer.settle().unwrap();
    }

    #[test]
    fn who_waits_for_a_disk_that_fails_waits_no_more() {
        let (syncer, (_reader, file)) = (Syncer::start(50).unwrap(), unsyncable());
        for _ in 0..4 * DUE_MAX {
            syncer.closed(Arc::new(file.try_clone().unwrap()));
        }
        assert!(syncer.settle().is_err());
    }

    #[test]
    fn a_failed_sync_is_never_forgotten() {
        let syncer = Syncer::start(0).unwrap();
        let (_reader, file) = unsyncable();
        syncer.closed(file);
        assert!(syncer.settle().is_err());
        assert!(syncer.check().is_err());
    }
}
