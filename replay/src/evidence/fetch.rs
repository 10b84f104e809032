//! Fetching from a bucket: ahead of whoever reads, and with a word on the terminal when it takes long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bg_cli::say::{is_terminal, progress};
use bg_recorder::ahead::Ahead;
use bg_recorder::store::{Listed, ObjectStore, StoreError};

/// A bucket as an auditor reads it.
#[derive(Debug)]
pub struct Fetch {
    ahead: Ahead,
    shown: Mutex<Shown>,
}

/// What is said on standard error, while something is.
#[derive(Debug, Default)]
struct Shown {
    since: Option<Instant>,
    last: Option<Instant>,
    done: u64,
    all: usize,
}

impl Fetch {
    /// Takes a store.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { ahead: Ahead::new(store), shown: Mutex::default() }
    }

    /// Begins to say how far reading is, if there is a terminal to say it on.
    pub fn show(&self, all: usize) {
        let since = is_terminal().then(Instant::now);
        self.with(|shown| *shown = Shown { since, all, ..Shown::default() });
    }

    /// Takes back what was said.
    pub fn hide(&self) {
        self.with(|shown| {
            if shown.last.is_some() {
                progress("");
            }
            *shown = Shown::default();
        });
    }

    fn with(&self, act: impl FnOnce(&mut Shown)) {
        act(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shown {
    fn count(&mut self) {
        self.done += 1;
        let now = Instant::now();
        let due = self.last.or(self.since).is_some_and(|last| now.duration_since(last) >= EVERY);
        if due {
            self.last = Some(now);
            progress(&format!("reading {} of {} objects", self.done, self.all));
        }
    }
}

impl ObjectStore for Fetch {
    fn put_new(&self, key: &str, _: &[u8]) -> Result<(), StoreError> {
        // An auditor writes nothing.
        Err(StoreError::Exists(key.to_owned()))
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        self.with(Shown::count);
        self.ahead.get(key, max)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.ahead.list(prefix)
    }
}

const EVERY: Duration = Duration::from_millis(300);
