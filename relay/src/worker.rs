//! A thread that does one thing to chunks of bytes, in order, and hands them back.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};

use crate::tape::{Done, Work};

/// Works on chunks beside the relay. It is readable (poll(2)) when one came back.
#[derive(Debug)]
pub struct Worker<E> {
    chunks: Sender<Vec<u8>>,
    done: Receiver<Done<E>>,
    bell: Arc<OwnedFd>,
    thread: JoinHandle<()>,
}

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
        Ok(Self { chunks, done, bell, thread })
    }

    /// Finishes what was offered and ends the thread. Returns whether it ended well.
    pub fn stop(self) -> bool {
        drop(self.chunks);
        self.thread.join().is_ok()
    }
}

impl<E: Send + 'static> Work<E> for Worker<E> {
    fn offer(&mut self, chunk: Vec<u8>) {
        // A worker that is gone is noticed by who waits for the chunk.
        drop(self.chunks.send(chunk));
    }

    fn done(&mut self) -> io::Result<Option<Done<E>>> {
        match self.done.try_recv() {
            Ok(done) => Ok(Some(done)),
            Err(TryRecvError::Disconnected) => {
                Err(io::Error::other("a thread of the relay is gone"))
            }
            Err(TryRecvError::Empty) => {
                // The bell is silenced when there is nothing more to hear; not ringing it is no error.
                rustix::io::read(&*self.bell, &mut [0; 8]).unwrap_or_default();
                // A chunk may have come back between the two.
                Ok(self.done.try_recv().ok())
            }
        }
    }

    fn wait(&mut self) -> Option<Done<E>> {
        self.done.recv().ok()
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
