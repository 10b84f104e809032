//! Signals as something to poll.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use bg_relay::session::{self, Signal};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH, SIGXFSZ};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::os::mask;

/// The signals that mean something to a session.
pub struct Signals(SignalDelivery<UnixStream, SignalOnly>);

impl Signals {
    /// Takes the signals over, whatever of them was blocked. Job-control stops are taken, too, and mean nothing: a
    /// stopped recorder would leave its session hanging.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn take() -> io::Result<Self> {
        mask::clear()?;
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let all = [SIGWINCH, SIGCONT, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGTSTP, SIGXFSZ];
        Ok(Self(SignalDelivery::with_pipe(read, write, SignalOnly, all)?))
    }
}

impl session::Signals for Signals {
    fn pending(&mut self) -> Vec<Signal> {
        self.0.pending().filter_map(meaning).collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals(..)")
    }
}

fn meaning(signal: i32) -> Option<Signal> {
    match signal {
        SIGWINCH => Some(Signal::Resized),
        SIGCONT => Some(Signal::Continued),
        SIGHUP => Some(Signal::HungUp),
        SIGTERM => Some(Signal::Terminated("SIGTERM")),
        SIGINT => Some(Signal::Terminated("SIGINT")),
        SIGQUIT => Some(Signal::Terminated("SIGQUIT")),
        _ => None,
    }
}
