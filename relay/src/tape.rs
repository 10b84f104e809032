//! The tape's side: what accepts events, how far its shipping is, and threads that work on chunks.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bg_recorder::epoch::KeyWatch;
use bg_recorder::event::{Event, Notice};
use bg_recorder::record::RecordError;
use bg_recorder::ship::Watch;

/// Accepts events. What it has accepted may be released.
pub trait Tape {
    /// Records one event.
    ///
    /// # Errors
    /// When it is not recorded: the session ends.
    fn accept(&self, event: Event<'_>) -> Result<(), RecordError>;

    /// Does what is due by time.
    ///
    /// # Errors
    /// As for events.
    fn tick(&self) -> Result<(), RecordError>;

    /// Returns milliseconds until something is due.
    fn next_tick_ms(&self) -> u64;
}

/// How far shipping is.
pub trait Store {
    /// Returns for how long the store has taken nothing, and why, where it takes nothing.
    fn down(&self) -> Option<Down>;

    /// Returns why shipping stopped for good.
    fn fatal(&self) -> Option<String>;

    /// Returns how many bytes wait.
    fn waiting_bytes(&self) -> u64;
}

/// A store that takes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// For how long.
    pub away: Duration,
    /// With what words it refuses, where it is there and does.
    pub refusal: Option<String>,
}

impl Store for Watch {
    fn down(&self) -> Option<Down> {
        let (since, why) = Self::down(self)?;
        Some(Down { away: since.elapsed(), refusal: why.refusal() })
    }

    fn fatal(&self) -> Option<String> {
        Self::fatal(self)
    }

    fn waiting_bytes(&self) -> u64 {
        Self::waiting_bytes(self)
    }
}

/// Where the keys come from.
pub trait Keys {
    /// Returns that this has changed, once.
    fn news(&self) -> Option<Notice>;
}

impl Keys for KeyWatch {
    fn news(&self) -> Option<Notice> {
        Self::news(self)
    }
}

/// Does one thing to chunks of bytes, in order, and hands them back. It is readable (poll(2)) when one came back.
pub trait Work<E>: AsFd {
    /// Takes a chunk.
    fn offer(&mut self, chunk: Vec<u8>);

    /// Returns the next chunk that came back.
    ///
    /// # Errors
    /// When nothing will come back any more.
    fn done(&mut self) -> io::Result<Option<Done<E>>>;

    /// Waits for the next chunk to come back. Asked only while one is outstanding; none where none will come.
    fn wait(&mut self) -> Option<Done<E>>;
}

/// A chunk that came back, and what became of it.
pub type Done<E> = (Vec<u8>, Result<(), E>);

/// Work with the count of what is outstanding.
pub struct Lane<'a, E> {
    work: Box<dyn Work<E> + 'a>,
    outstanding: usize,
}

impl<'a, E> Lane<'a, E> {
    /// Begins with nothing outstanding.
    pub fn new(work: impl Work<E> + 'a) -> Self {
        Self { work: Box::new(work), outstanding: 0 }
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding
    }

    pub(crate) fn offer(&mut self, chunk: Vec<u8>) {
        self.outstanding += 1;
        self.work.offer(chunk);
    }

    pub(crate) fn done(&mut self) -> io::Result<Option<Done<E>>> {
        let done = self.work.done()?;
        self.outstanding -= usize::from(done.is_some());
        Ok(done)
    }

    pub(crate) fn wait(&mut self) -> Option<Done<E>> {
        let done = if self.outstanding > 0 { self.work.wait() } else { None };
        self.outstanding = self.outstanding.saturating_sub(1);
        done
    }
}

impl<E> AsFd for Lane<'_, E> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.work.as_fd()
    }
}

impl<E, W: Work<E> + ?Sized> Work<E> for &mut W {
    fn offer(&mut self, chunk: Vec<u8>) {
        (**self).offer(chunk);
    }

    fn done(&mut self) -> io::Result<Option<Done<E>>> {
        (**self).done()
    }

    fn wait(&mut self) -> Option<Done<E>> {
        (**self).wait()
    }
}
