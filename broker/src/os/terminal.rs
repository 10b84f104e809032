//! The responder's terminal: raw while the session runs, restored on every way out.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::process::getpgrp;
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
};

use crate::os::worker::Worker;

/// Standard input in raw mode. Dropping it restores the settings, also when a panic unwinds.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Makes standard input raw, if it is a terminal.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter() -> io::Result<Option<Self>> {
        let stdin = rustix::stdio::stdin();
        if !isatty(stdin) {
            return Ok(None);
        }
        let before = tcgetattr(stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin, OptionalActions::Now, &raw)?;
        Ok(Some(Self { terminal: stdin.try_clone_to_owned()?, before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that has vanished needs no settings.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).unwrap_or(());
    }
}

/// Returns whether standard input is a terminal that another process group has: reading it would stop us
/// (tcsetpgrp(3)).
pub fn in_background() -> bool {
    let stdin = rustix::stdio::stdin();
    isatty(stdin) && tcgetpgrp(stdin).is_ok_and(|foreground| foreground != getpgrp())
}

/// Returns the settings of standard input, for the session's pty to begin with.
pub fn settings() -> Option<Termios> {
    let stdin = rustix::stdio::stdin();
    isatty(stdin).then(|| tcgetattr(stdin).ok()).flatten()
}

/// Returns the size of the terminal that shows the session; 80 by 24 where there is none, or it says 0.
pub fn size() -> Winsize {
    let terminals = [rustix::stdio::stdout(), rustix::stdio::stdin(), rustix::stdio::stderr()];
    let found = terminals.into_iter().filter(|fd| isatty(fd)).find_map(|fd| tcgetwinsize(fd).ok());
    let size = found.unwrap_or(Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 });
    Winsize {
        ws_row: if size.ws_row == 0 { 24 } else { size.ws_row },
        ws_col: if size.ws_col == 0 { 80 } else { size.ws_col },
        ..size
    }
}

/// Standard output. What fits is written at once; a thread waits for the rest.
#[derive(Debug)]
pub struct Screen {
    quick: Option<OwnedFd>,
    terminal: bool,
    /// Writes chunks however long the screen takes.
    pub thread: Worker<io::Error>,
}

impl Screen {
    /// Opens standard output anew where it could block, so that our O_NONBLOCK is not the invoking shell's.
    ///
    /// # Errors
    /// When there is no standard output, or no thread left.
    pub fn open() -> io::Result<Self> {
        let stdout = rustix::stdio::stdout();
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let quick = match FileType::from_raw_mode(fstat(stdout)?.st_mode) {
            FileType::CharacterDevice | FileType::Fifo => {
                open("/proc/self/fd/1", flags, Mode::empty()).ok()
            }
            _ => None,
        };
        let slow = stdout.try_clone_to_owned()?;
        let thread = Worker::start("screen", move |chunk: &[u8]| write_all(&slow, chunk))?;
        Ok(Self { quick, terminal: isatty(stdout), thread })
    }

    /// Writes what fits now; returns how much.
    ///
    /// # Errors
    /// When nobody is there to see it.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(quick) = &self.quick else { return Ok(0) };
        match rustix::io::write(quick, bytes) {
            Ok(written) => Ok(written),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }

    /// Returns whether a person may be looking.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }
}

/// Writes everything, also where whoever gave us standard output made it non-blocking.
fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
