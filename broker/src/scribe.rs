//! The scribe: seals large chunks of output on a thread of its own, so that sealing one overlaps with reading the
//! next and showing the last. Keystrokes and small output are accepted where they are read, which is quicker.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bg_recorder::event::Event;
use bg_recorder::record::{RecordError, Recorder};

use crate::os::worker::Worker;

/// A recorder with a thread beside it.
#[derive(Debug)]
pub struct Scribe {
    recorder: Arc<Mutex<Recorder>>,
    /// Takes chunks of output; one that comes back may be released if it was accepted.
    pub thread: Worker<RecordError>,
}

impl Scribe {
    /// Takes the recorder over.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(recorder: Recorder) -> io::Result<Self> {
        let recorder = Arc::new(Mutex::new(recorder));
        let theirs = Arc::clone(&recorder);
        let mut failed = false;
        // After one chunk that was not accepted none is: the tape has no hole, it has an end.
        let accept = move |chunk: &[u8]| {
            if failed {
                return Err(RecordError::Ended);
            }
            let accepted =
                theirs.lock().unwrap_or_else(PoisonError::into_inner).accept(Event::Output(chunk));
            failed = accepted.is_err();
            accepted
        };
        Ok(Self { recorder, thread: Worker::start("scribe", accept)? })
    }

    /// Lends the recorder; waits for the chunk that is being sealed.
    pub fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread and gives the recorder back. `None` when sealing panicked: its state is not to be trusted.
    pub fn stop(self) -> Option<Recorder> {
        if !self.thread.stop() {
            return None;
        }
        Arc::into_inner(self.recorder)?.into_inner().ok()
    }
}
