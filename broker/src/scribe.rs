//! The scribe: seals large chunks of output on a thread of its own, so that sealing one overlaps with reading the
//! next and showing the last. Keystrokes and small output are accepted where they are read, which is quicker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use bg_recorder::event::Event;
use bg_recorder::recorder::{RecordError, Recorder};
use rustix::event::{EventfdFlags, eventfd};

/// A recorder with a thread beside it.
#[derive(Debug)]
pub struct Scribe {
    recorder: Arc<Mutex<Recorder>>,
    chunks: Sender<Vec<u8>>,
    accepted: Receiver<Accepted>,
    bell: Arc<OwnedFd>,
    outstanding: usize,
    thread: JoinHandle<()>,
}

/// A chunk that came back: it may be released if it was accepted.
pub type Accepted = (Vec<u8>, Result<(), RecordError>);

impl Scribe {
    /// Takes the recorder over.
    ///
    /// # Errors
    /// When the system has no thread or no eventfd left.
    pub fn start(recorder: Recorder) -> io::Result<Self> {
        let recorder = Arc::new(Mutex::new(recorder));
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let ((chunks, inbox), (outbox, accepted)) = (channel(), channel());
        let (theirs, ring) = (Arc::clone(&recorder), Arc::clone(&bell));
        let work = move || work(&theirs, &inbox, &outbox, &ring);
        let thread = thread::Builder::new().name("scribe".into()).spawn(work)?;
        Ok(Self { recorder, chunks, accepted, bell, outstanding: 0, thread })
    }

    /// Lends the recorder; waits for the chunk that is being sealed.
    pub fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a chunk of output. It comes back from [`Scribe::accepted`], in order.
    pub fn offer(&mut self, chunk: Vec<u8>) {
        self.outstanding += 1;
        // A scribe that is gone is noticed by who waits for the chunk.
        drop(self.chunks.send(chunk));
    }

    /// Returns how many chunks have not come back.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Returns the next chunk that came back.
    ///
    /// # Errors
    /// When the scribe is gone.
    pub fn accepted(&mut self) -> io::Result<Option<Accepted>> {
        match self.accepted.try_recv() {
            Ok(accepted) => {
                self.outstanding -= 1;
                Ok(Some(accepted))
            }
            Err(std::sync::mpsc::TryRecvError::Empty) => Ok(None),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                Err(io::Error::other("the sealing thread is gone"))
            }
        }
    }

    /// Silences the bell that says a chunk came back.
    pub fn heard(&self) {
        // Nothing to read is nothing to silence.
        rustix::io::read(&*self.bell, &mut [0; 8]).unwrap_or_default();
    }

    /// Ends the thread and gives the recorder back. `None` when sealing panicked: its state is not to be trusted.
    pub fn stop(self) -> Option<Recorder> {
        drop(self.chunks);
        self.thread.join().ok()?;
        Arc::into_inner(self.recorder)?.into_inner().ok()
    }
}

impl AsFd for Scribe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

fn work(recorder: &Mutex<Recorder>, inbox: &Receiver<Vec<u8>>, outbox: &Sender<Accepted>, bell: &OwnedFd) {
    for chunk in inbox {
        let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let accepted = recorder.accept(Event::Output(&chunk));
        drop(recorder);
        // Both fail only when the relay is gone, and nothing is released then.
        drop(outbox.send((chunk, accepted)));
        rustix::io::write(bell, &1u64.to_ne_bytes()).unwrap_or_default();
    }
}
