//! The scribe: seals large chunks of output on a thread of its own, so that sealing one overlaps with reading the
//! next and showing the last. Keystrokes and small output are accepted where they are read, which is quicker.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bg_recorder::event::Event;
use bg_recorder::record::{RecordError, Recorder};

use crate::tape::{Lane, Tape};
use crate::worker::Worker;

/// A recorder with a thread beside it.
#[derive(Debug)]
pub struct Scribe {
    desk: Desk,
    thread: Worker<RecordError>,
}

impl Scribe {
    /// Takes the recorder over.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(recorder: Recorder) -> io::Result<Self> {
        let desk = Desk(Arc::new(Mutex::new(recorder)));
        let theirs = Desk(Arc::clone(&desk.0));
        let mut failed = false;
        // After one chunk that was not accepted none is: the tape has no hole, it has an end.
        let accept = move |chunk: &[u8]| {
            if failed {
                return Err(RecordError::Ended);
            }
            let accepted = theirs.accept(Event::Output(chunk));
            failed = accepted.is_err();
            accepted
        };
        Ok(Self { desk, thread: Worker::start("scribe", accept)? })
    }

    /// Lends what accepts at once, and what takes chunks of output: one that comes back may be released if it was
    /// accepted.
    pub fn lend(&mut self) -> (&dyn Tape, Lane<'_, RecordError>) {
        (&self.desk, Lane::new(&mut self.thread))
    }

    /// Ends the thread and gives the recorder back. `None` when sealing panicked: its state is not to be trusted.
    pub fn stop(self) -> Option<Recorder> {
        if !self.thread.stop() {
            return None;
        }
        Arc::into_inner(self.desk.0)?.into_inner().ok()
    }
}

/// The recorder; whoever comes waits for the chunk that is being sealed.
#[derive(Debug)]
struct Desk(Arc<Mutex<Recorder>>);

impl Desk {
    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tape for Desk {
    fn accept(&self, event: Event<'_>) -> Result<(), RecordError> {
        self.recorder().accept(event)
    }

    fn tick(&self) -> Result<(), RecordError> {
        self.recorder().tick()
    }

    fn next_tick_ms(&self) -> u64 {
        self.recorder().next_tick_ms()
    }
}
