//! The auditor's terminal: keys, size, signals; and its own state back at the end, whatever the end.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use bg_cli::answer::recorded;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_current_process_group};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};

use crate::play::keys::{Decoder, Key};
use crate::screen::Size;

/// A terminal taken over for playing.
#[derive(Debug)]
pub struct Console {
    keyboard: Keyboard,
    wake: UnixStream,
    resized: Arc<AtomicBool>,
    ended: Arc<AtomicUsize>,
    signals: Vec<signal_hook::SigId>,
    decoder: Decoder,
}

/// Whether keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyboard {
    /// From standard input, which is a terminal.
    Raw,
    /// Standard input is something else.
    None,
}

impl Console {
    /// Takes the terminal over: it is given back when this is dropped, and when the program panics.
    ///
    /// # Errors
    /// When it does not let itself be taken.
    pub fn open(keyboard: Keyboard) -> io::Result<Self> {
        let (wake, poke) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        poke.set_nonblocking(true)?;
        let resized = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicUsize::new(0));
        let mut console = Self {
            keyboard,
            wake,
            resized,
            ended,
            signals: Vec::new(),
            decoder: Decoder::default(),
        };
        console.watch(&poke)?;
        restore_on_panic();
        console.take()?;
        Ok(console)
    }

    /// The flag is set before the poke, so that whoever wakes finds it.
    fn watch(&mut self, poke: &UnixStream) -> io::Result<()> {
        for signal in [SIGTERM, SIGHUP, SIGINT, SIGQUIT] {
            let number = usize::try_from(signal).unwrap_or_default();
            self.signals.push(signal_hook::flag::register_usize(
                signal,
                Arc::clone(&self.ended),
                number,
            )?);
            self.signals.push(signal_hook::low_level::pipe::register(signal, poke.try_clone()?)?);
        }
        self.signals.push(signal_hook::flag::register(SIGWINCH, Arc::clone(&self.resized))?);
        self.signals.push(signal_hook::low_level::pipe::register(SIGWINCH, poke.try_clone()?)?);
        Ok(())
    }

    /// Waits for keys or a signal, at most so long.
    ///
    /// # Errors
    /// When the terminal cannot be waited for.
    pub fn wait(&mut self, longest: Option<Duration>) -> io::Result<Vec<Key>> {
        let longest = longest.map(|duration| duration.min(WAIT_MAX));
        let timeout = longest.map(|duration| Timespec {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: duration.subsec_nanos().into(),
        });
        let input = stdin();
        let wanted =
            if self.keyboard == Keyboard::Raw { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&input, wanted), PollFd::new(&self.wake, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            // A signal: its flag says which.
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            Err(e) => return Err(e.into()),
            Ok(_) => {}
        }
        let [typed, poked] = fds.map(|fd| !fd.revents().is_empty());
        if poked {
            self.drain()?;
        }
        if typed && self.keyboard == Keyboard::Raw { self.keys() } else { Ok(Vec::new()) }
    }

    /// Gives the terminal back, stops this process group, and takes the terminal again once it is continued.
    ///
    /// # Errors
    /// When it cannot be stopped, or the terminal does not let itself be taken again.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        kill_current_process_group(Signal::TSTP)?;
        self.take()
    }

    /// Keys come one by one from here on, and the terminal's own modes are kept for later.
    fn take(&self) -> io::Result<()> {
        if self.keyboard == Keyboard::None {
            *saved() = Some(Saved(None));
            return Ok(());
        }
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *saved() = Some(Saved(Some(before)));
        Ok(tcsetattr(stdin(), OptionalActions::Flush, &raw)?)
    }

    /// Returns the signal that asks for the end.
    pub fn ended(&self) -> Option<i32> {
        let signal = self.ended.load(Ordering::SeqCst);
        if signal == 0 { None } else { i32::try_from(signal).ok() }
    }

    /// Returns whether the terminal's size changed since this was asked.
    pub fn resized(&self) -> bool {
        self.resized.swap(false, Ordering::SeqCst)
    }

    fn drain(&mut self) -> io::Result<()> {
        let mut pokes = [0; 64];
        match self.wake.read(&mut pokes) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }

    fn keys(&mut self) -> io::Result<Vec<Key>> {
        let mut bytes = [0; 1_024];
        match rustix::io::read(stdin(), &mut bytes) {
            // The terminal is gone.
            Ok(0) | Err(rustix::io::Errno::IO) => Ok(vec![Key::Quit]),
            Ok(len) => {
                Ok(bytes.iter().take(len).filter_map(|byte| self.decoder.byte(*byte)).collect())
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(Vec::new()),
            Err(e) => Err(e.into()),
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        restore();
        for signal in self.signals.drain(..) {
            signal_hook::low_level::unregister(signal);
        }
    }
}

/// Returns the size of the terminal on standard output, if there is one that has a size.
pub fn terminal_size() -> Option<Size> {
    let size = tcgetwinsize(stdout().as_fd()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| Size::new(size.ws_col.into(), size.ws_row.into()))
}

/// Ends every mode that a recording can have left on. The cursor stays where it is.
pub const RESTORE: &str = concat!(
    "\x18\x1b\\",                        // a sequence or a string that was cut
    "\x1b[?2026l",                       // synchronised output
    "\x1b[?1047l",                       // the alternate screen, without the cursor that 1049 saved
    "\x1b7\x1b[?6l\x1b[r\x1b[?69l\x1b8", // origin, scroll region, margins: each would move the cursor
    "\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l", // mouse, focus
    "\x1b[?2004l",                     // bracketed paste
    "\x1b[?1l\x1b>",                   // application cursor keys, application keypad
    "\x1b[=0u\x1b[>4m",                // kitty keyboard, modifyOtherKeys
    "\x1b[4l\x1b[20l\x1b[?5l\x1b[?7h", // insert, new line, reverse video; autowrap is on
    "\x1b(B\x1b)B\x0f",                // line drawing characters
    "\x1b]8;;\x1b\\",                  // a hyperlink
    "\x1b[0 q\x1b[?25h\x1b[0m",        // cursor shape, hidden cursor, colours
);

/// Gives the terminal back. The second time there is nothing to do.
fn restore() {
    let Some(Saved(before)) = saved().take() else { return };
    // A terminal that is gone does not need to be restored.
    ignore(recorded().write_all(RESTORE.as_bytes()).and_then(|()| recorded().flush()));
    let Some(before) = before else { return };
    // What it answered to queries in the recording must not reach the shell.
    ignore(tcflush(stdin(), QueueSelector::IFlush).map_err(Into::into));
    ignore(tcsetattr(stdin(), OptionalActions::Drain, &before).map_err(Into::into));
}

fn restore_on_panic() {
    HOOK.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            next(panic);
        }));
    });
}

fn saved() -> std::sync::MutexGuard<'static, Option<Saved>> {
    SAVED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What is to be given back; the modes, where keys were read.
struct Saved(Option<Termios>);

/// Ignoring is decided where this is called.
fn ignore(_: io::Result<()>) {}

static SAVED: Mutex<Option<Saved>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Longer waits are cut into pieces.
const WAIT_MAX: Duration = Duration::from_secs(3_600);
