//! What the loop asks the kernel: what is ready, and how much time has passed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

pub use rustix::event::PollFlags;

/// The kernel's side of the loop.
pub trait Kernel {
    /// Waits until something of what is awaited is ready, or the patience is over; a signal may end it early.
    ///
    /// # Errors
    /// When it cannot wait.
    fn poll(&self, awaited: &mut [Awaited<'_>], patience: Duration) -> io::Result<()>;

    /// Returns the time since some moment in the past. It never goes back, and stands still in suspension.
    fn monotonic(&self) -> Duration;
}

/// A descriptor, what is wanted of it, and what was found.
#[derive(Debug)]
pub struct Awaited<'a> {
    /// The descriptor.
    pub fd: BorrowedFd<'a>,
    /// What is wanted. Nothing wanted is not asked for: poll(2) would still tell its hang-up, again and again.
    pub wanted: PollFlags,
    /// What there is.
    pub found: PollFlags,
}

impl<'a> Awaited<'a> {
    /// Wants something of a side.
    pub fn new<T: AsFd + ?Sized>(side: &'a T, wanted: PollFlags) -> Self {
        Self { fd: side.as_fd(), wanted, found: PollFlags::empty() }
    }

    /// Returns whether there is something to be read, the end included.
    pub fn readable(&self) -> bool {
        self.found.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
    }
}
