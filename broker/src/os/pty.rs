//! A pseudoterminal pair (pty(7)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bg_relay::session::{self, Pty as _, Read, Reading};
use bg_relay::terminal::Medium;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, Winsize, tcgetattr,
    tcsetattr, tcsetwinsize,
};

use crate::os::inner::{self, Inner};

/// The master side, never blocking.
#[derive(Debug)]
pub struct Pty {
    master: OwnedFd,
    /// The session's side, held until its leader has ended: a session that lets go of its terminal may come back.
    side: Option<OwnedFd>,
    /// Those that the session's programs make beside it.
    inner: Option<Inner>,
}

impl Pty {
    /// Opens a pair; returns the master and the session's side, which has the settings of `like` if given, as far as they
    /// suit what this process's own input and output are.
    ///
    /// # Errors
    /// When the system has no pty left.
    pub fn open(
        size: Winsize,
        like: Option<Termios>,
        input: Medium,
        output: Medium,
    ) -> io::Result<(Self, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        unlockpt(&master)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let session = ioctl_tiocgptpeer(&master, flags)?;
        let inner = inner::number(fstat(&session)?.st_rdev).map(Inner::of);
        let pty = Self { master, side: Some(session.try_clone()?), inner };
        let settings = like.map_or_else(|| tcgetattr(&session), Ok)?;
        tcsetattr(&session, OptionalActions::Now, &suiting(settings, input, output))?;
        pty.resize(size)?;
        fcntl_setfl(&pty.master, fcntl_getfl(&pty.master)? | OFlags::NONBLOCK)?;
        Ok((pty, session))
    }
}

fn suiting(mut settings: Termios, input: Medium, output: Medium) -> Termios {
    if input == Medium::Stream {
        // Nobody types: who asks the terminal for a key, such as for a password, hears at once that there is none.
        settings.local_modes.remove(LocalModes::ICANON);
        settings.special_codes[SpecialCodeIndex::VMIN] = 0;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
    }
    if output == Medium::Stream {
        // A file gets the bytes that were written, without carriage returns.
        settings.output_modes.remove(OutputModes::OPOST);
    }
    settings
}

impl session::Pty for Pty {
    fn read(&self, to: &mut [u8]) -> io::Result<Read> {
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

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(&self.master, bytes) {
            Ok(written) => Ok(written),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
            // Nobody is left to read it.
            Err(rustix::io::Errno::IO) => Ok(bytes.len()),
            Err(e) => Err(e.into()),
        }
    }

    fn resize(&self, size: Winsize) -> io::Result<()> {
        // The kernel sends SIGWINCH to the session's foreground group.
        Ok(tcsetwinsize(&self.master, size)?)
    }
}

impl session::Prompt for Pty {
    /// Echo off and line mode on, as getpass(3) and `read -s` do, is a secret. A raw-mode program has both off, a plain
    /// prompt both on.
    fn reading(&self) -> io::Result<Reading> {
        let modes = tcgetattr(&self.master)?.local_modes;
        Ok(match (modes.contains(LocalModes::ICANON), modes.contains(LocalModes::ECHO)) {
            (true, true) => Reading::Lines,
            (true, false) => Reading::Secret,
            (false, _) if self.inner.as_ref().is_some_and(Inner::reads_secret) => Reading::Inner,
            (false, _) => Reading::Keys,
        })
    }

    fn let_go(&mut self) {
        self.side = None;
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

const SHORT_READ: usize = 1_024;
