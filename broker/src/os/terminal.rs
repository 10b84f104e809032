//! The responder's terminal: raw while the session runs, restored on every way out.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use bg_cli::say::say;
use bg_relay::tape::Lane;
use bg_relay::terminal::{self, Kind, Terminal};
use bg_relay::worker::Worker;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, Winsize, isatty, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr,
};

use crate::os::keyboard;

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
        tcsetattr(stdin, OptionalActions::Now, &rawer(&before))?;
        Ok(Some(Self { terminal: stdin.try_clone_to_owned()?, before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that has vanished needs no settings.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).unwrap_or(());
    }
}

fn rawer(settings: &Termios) -> Termios {
    let mut raw = settings.clone();
    raw.make_raw();
    raw
}

/// Makes standard input raw again, where somebody has made it something else: a shell, while this process was stopped.
/// Returns whether it had to. In the background nothing is done: the terminal is another's.
pub(super) fn make_raw() -> bool {
    let stdin = rustix::stdio::stdin();
    if in_background() {
        return false;
    }
    // What is no terminal, or none any more, needs no settings.
    let Ok(now) = tcgetattr(stdin) else { return false };
    let kept = now.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
    let waits = now.special_codes[SpecialCodeIndex::VMIN] != 1
        || now.special_codes[SpecialCodeIndex::VTIME] != 0;
    (kept || waits) && tcsetattr(stdin, OptionalActions::Now, &rawer(&now)).is_ok()
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

/// Returns this process's terminal: standard input and standard output.
///
/// # Errors
/// When there is no standard output, or no thread left.
pub fn own() -> io::Result<Terminal> {
    let kind = |fd: BorrowedFd<'_>| if isatty(fd) { Kind::Terminal } else { Kind::Stream };
    let stdout = rustix::stdio::stdout();
    let slow = stdout.try_clone_to_owned()?;
    let slow = Worker::start("screen", move |chunk: &[u8]| write_all(&slow, chunk))?;
    Ok(Terminal {
        keyboard: keyboard::own()?,
        screen: Box::new(Screen::open()?),
        slow: Lane::new(slow),
        input: kind(rustix::stdio::stdin()),
        output: kind(stdout),
    })
}

/// Standard output, where something fits at once.
#[derive(Debug)]
struct Screen(Option<OwnedFd>);

impl Screen {
    /// Opens standard output anew where it could block, so that our O_NONBLOCK is not the invoking shell's.
    fn open() -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mode = fstat(rustix::stdio::stdout())?.st_mode;
        Ok(Self(match FileType::from_raw_mode(mode) {
            FileType::CharacterDevice | FileType::Fifo => {
                open("/proc/self/fd/1", flags, Mode::empty()).ok()
            }
            _ => None,
        }))
    }
}

impl terminal::Screen for Screen {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(quick) = &self.0 else { return Ok(0) };
        match rustix::io::write(quick, bytes) {
            Ok(written) => Ok(written),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }

    fn size(&self) -> Winsize {
        size()
    }

    fn aside(&self, line: &str) {
        say!("{line}");
    }
}

/// Writes everything, also where whoever gave us standard output made it non-blocking.
fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
