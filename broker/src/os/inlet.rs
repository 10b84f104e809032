//! A session's standard input where nobody types it: a pipe (pipe(7)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bg_relay::session;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, pipe_with};

/// The end that is written, never blocking.
#[derive(Debug)]
pub struct Inlet(OwnedFd);

impl Inlet {
    /// Opens a pipe; returns this end, and the session's.
    ///
    /// # Errors
    /// When the system has none left.
    pub fn open() -> io::Result<(Self, OwnedFd)> {
        let (session, inlet) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&inlet, fcntl_getfl(&inlet)? | OFlags::NONBLOCK)?;
        Ok((Self(inlet), session))
    }
}

impl session::Inlet for Inlet {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(&self.0, bytes) {
            Ok(written) => Ok(written),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }

    fn unread(&self) -> io::Result<u64> {
        Ok(ioctl_fionread(&self.0)?)
    }
}

impl AsFd for Inlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
