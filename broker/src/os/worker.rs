//! A thread that does one thing to chunks of bytes, in order, and hands them back.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};

/// Works on chunks beside the relay. It is readable (poll(2)) when one came back.
#[derive(Debug)]
pub struct Worker<E> {
    chunks: Sender<Vec<u8>>,
    done: Receiver<Done<E>>,
    bell: Arc<OwnedFd>,
    outstanding: usize,
    thread: JoinHandle<()>,
}

/// A chunk that came back, and what became of it.
pub type Done<E> = (Vec<u8>, Result<(), E>);

impl<E: Send + 'static> Worker<E> {
    /// Starts the thread. It ends when the worker is dropped or stopped.
    ///
    /// # Errors
    /// When the system has no thread or no eventfd left.
    pub fn start(
        name: &str,
        work: impl FnMut(&[u8]) -> Result<(), E> + Send + 'static,
    ) -> io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let ((chunks, inbox), (outbox, done)) = (channel(), channel());
        let ring = Arc::clone(&bell);
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(move || run(work, &inbox, &outbox, &ring))?;
        Ok(Self { chunks, done, bell, outstanding: 0, thread })
    }

    /// Hands over a chunk.
    pub fn offer(&mut self, chunk: Vec<u8>) {
        self.outstanding += 1;
        // A worker that is gone is noticed by who waits for the chunk.
        drop(self.chunks.send(chunk));
    }

    /// Returns how many chunks have not come back.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Returns the next chunk that came back.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn done(&mut self) -> io::Result<Option<Done<E>>> {
        match self.done.try_recv() {
            Ok(done) => {
                self.outstanding -= 1;
                Ok(Some(done))
            }
            Err(TryRecvError::Disconnected) => {
                Err(io::Error::other("a thread of the relay is gone"))
            }
            Err(TryRecvError::Empty) => {
                // The bell is silenced when there is nothing more to hear; not ringing it is no error.
                rustix::io::read(&*self.bell, &mut [0; 8]).unwrap_or_default();
                // A chunk may have come back between the two.
                Ok(self.done.try_recv().ok().inspect(|_| self.outstanding -= 1))
            }
        }
    }

    /// Waits for the next chunk to come back, if any is outstanding.
    pub fn wait(&mut self) -> Option<Done<E>> {
        let done = if self.outstanding > 0 { self.done.recv().ok() } else { None };
        self.outstanding = self.outstanding.saturating_sub(1);
        done
    }

    /// Finishes what was offered and ends the thread. Returns whether it ended well.
    pub fn stop(self) -> bool {
        drop(self.chunks);
        self.thread.join().is_ok()
    }
}

impl<E> AsFd for Worker<E> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

fn run<E>(
    mut work: impl FnMut(&[u8]) -> Result<(), E>,
    inbox: &Receiver<Vec<u8>>,
    outbox: &Sender<Done<E>>,
    bell: &OwnedFd,
) {
    for chunk in inbox {
        let result = work(&chunk);
        // Both fail only when the relay is gone, and nothing is released then.
        drop(outbox.send((chunk, result)));
        rustix::io::write(bell, &1u64.to_ne_bytes()).unwrap_or_default();
    }
}
