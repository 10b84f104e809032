//! Waiting on a condition, with a deadline that only a hang reaches.

use std::time::{Duration, Instant};

/// Returns once `holds` does; panics when it does not within [`PATIENCE`].
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(within(PATIENCE, holds), "waited in vain: {what}");
}

/// Returns whether `holds` came to hold in that time.
pub fn within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    true
}

/// Generous: CI machines are slow, and a hang is a failure all the same.
pub const PATIENCE: Duration = Duration::from_secs(60);
