//! A clock whose hands a test moves: whoever waits by it has waited at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bg_recorder::clock::Clock;
use bg_recorder::stamp::Stamp;

/// Wall clock and boot clock in one.
pub struct Hands(AtomicU64);

impl Hands {
    /// Sets them.
    pub fn at(stamp: Stamp) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(stamp.0)))
    }
}

impl Clock for Hands {
    fn wall_us(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn boot_us(&self) -> u64 {
        self.wall_us()
    }

    fn wait(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}
