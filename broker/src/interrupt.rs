//! An interrupt while somebody waits: it ends the waiting, not what is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// SIGINT and SIGTERM, while somebody waits.
pub struct Interrupt {
    seen: Arc<AtomicBool>,
    ids: Vec<signal_hook::SigId>,
}

impl Interrupt {
    /// Takes the two signals over, until this is dropped.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn watch() -> Result<Self, Failure> {
        let seen = Arc::new(AtomicBool::new(false));
        let signals = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];
        let ids = signals.into_iter().map(|signal| signal_hook::flag::register(signal, Arc::clone(&seen)));
        let ids =
            ids.collect::<Result<_, _>>().map_err(|e| Failure::new("cannot take signals over").because(e))?;
        Ok(Self { seen, ids })
    }

    /// Waits that long, or until there is one; returns whether there was.
    pub fn within(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.seen.load(Ordering::SeqCst) && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
        self.seen.load(Ordering::SeqCst)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
