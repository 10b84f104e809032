//! A pseudoterminal pair (pty(7)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    LocalModes, SpecialCodeIndex, Termios, Winsize, tcgetattr, tcsetattr, tcsetwinsize,
};

/// The master side, never blocking.
#[derive(Debug)]
pub struct Pty {
    master: OwnedFd,
    /// The session's side, held until its leader has ended: a session that lets go of its terminal may come back.
    side: Option<OwnedFd>,
}

impl Pty {
    /// Opens a pair; returns the master and the session's side, which keeps the settings of `like` if given.
    ///
    /// # Errors
    /// When the system has no pty left.
    pub fn open(size: Winsize, like: Option<&Termios>) -> io::Result<(Self, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        unlockpt(&master)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let session = ioctl_tiocgptpeer(&master, flags)?;
        let pty = Self { master, side: Some(session.try_clone()?) };
        if let Some(settings) = like {
            tcsetattr(&session, rustix::termios::OptionalActions::Now, settings)?;
        }
        pty.resize(size)?;
        fcntl_setfl(&pty.master, fcntl_getfl(&pty.master)? | OFlags::NONBLOCK)?;
        Ok((pty, session))
    }

    /// Sets the window size; the kernel sends SIGWINCH to the session's foreground group.
    ///
    /// # Errors
    /// When the pty is gone.
    pub fn resize(&self, size: Winsize) -> io::Result<()> {
        Ok(tcsetwinsize(&self.master, size)?)
    }

    /// Reads what the session wrote, until there is no more or `to` is full; see [`Read`].
    ///
    /// # Errors
    /// Only for what is not an end.
    pub fn read(&self, to: &mut [u8]) -> io::Result<Read> {
        let mut len = 0;
        while let Some(free) = to.get_mut(len..).filter(|free| !free.is_empty()) {
            match rustix::io::read(&self.master, free) {
                // The master reads EIO once the last process has closed the session's side: an end, not an error.
                Ok(0) | Err(rustix::io::Errno::IO) => return Ok(Read { len, ended: true }),
                Ok(read) => {
                    len += read;
                    // The kernel gives up to 4,095 bytes a time: so few are all there were.
                    if read < SHORT_READ {
                        break;
                    }
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(Read { len, ended: false })
    }

    /// Writes input for the session; returns how much was taken.
    ///
    /// # Errors
    /// When the pty is gone.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(&self.master, bytes) {
            Ok(written) => Ok(written),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
            // Nobody is left to read it.
            Err(rustix::io::Errno::IO) => Ok(bytes.len()),
            Err(e) => Err(e.into()),
        }
    }

    /// Returns whether a program is reading a secret: echo off and line mode on, as getpass(3) and `read -s` do.
    /// A raw-mode program has both off, a plain prompt both on.
    ///
    /// # Errors
    /// When the pty is gone.
    pub fn secret_entry(&self) -> io::Result<bool> {
        let modes = tcgetattr(&self.master)?.local_modes;
        Ok(modes.contains(LocalModes::ICANON) && !modes.contains(LocalModes::ECHO))
    }

    /// Returns the character that means end of file to the session, if it has read all input before it.
    ///
    /// # Errors
    /// When the pty is gone.
    pub fn end_of_file(&self) -> io::Result<Option<u8>> {
        let Some(side) = &self.side else { return Ok(None) };
        let mut unread = [PollFd::new(side, PollFlags::IN)];
        poll(&mut unread, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        let unread = unread.iter().any(|fd| fd.revents().contains(PollFlags::IN));
        Ok((!unread).then_some(tcgetattr(&self.master)?.special_codes[SpecialCodeIndex::VEOF]))
    }

    /// Lets go of the session's side: from now on the end of its last process is the end of the output.
    pub fn let_go(&mut self) {
        self.side = None;
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

const SHORT_READ: usize = 1_024;

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Bytes read.
    pub len: usize,
    /// Whether there will be no more.
    pub ended: bool,
}
