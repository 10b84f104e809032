//! The responder's terminal, as the relay takes it: standard input and standard output.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use bg_cli::say::say;
use bg_relay::tape::Lane;
use bg_relay::terminal::{self, Medium, Terminal};
use bg_relay::worker::Worker;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::termios::{Winsize, isatty, tcgetwinsize};

use crate::os::keyboard;

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
    let kind = |fd: BorrowedFd<'_>| if isatty(fd) { Medium::Terminal } else { Medium::Stream };
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
