//! The terminal's side: where a person types and looks. This process's own today; it may be at the end of a socket.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::Winsize;
use serde::Serialize;

use crate::tape::Lane;

/// Everything of one terminal.
pub struct Terminal {
    /// Where keys come from.
    pub keyboard: Box<dyn Keyboard>,
    /// Where output goes at once,
    pub screen: Box<dyn Screen>,
    /// and where it waits.
    pub slow: Lane<'static, io::Error>,
    /// Whether the keys are typed.
    pub input: Medium,
    /// Whether a person may be looking.
    pub output: Medium,
}

/// What one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// A terminal.
    Terminal,
    /// A file, a pipe or a socket.
    Stream,
}

/// Where keys come from. It is readable (poll(2)) when there are some.
pub trait Keyboard: AsFd {
    /// Reads what there is, without waiting.
    fn read(&mut self, to: &mut [u8]) -> Typed;

    /// Sees to it that keys come as they are typed, where others have changed that. Returns whether they had.
    fn take_again(&mut self) -> bool;
}

/// What the keyboard had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// So many bytes.
    Bytes(usize),
    /// Nothing, now.
    Nothing,
    /// Nothing, ever again.
    Ended,
}

/// Where output goes.
pub trait Screen {
    /// Writes what fits now; returns how much.
    ///
    /// # Errors
    /// When nobody is there to see it.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Returns the window's size.
    fn size(&self) -> Winsize;

    /// Tells a line of ours beside the output, where that is no terminal.
    fn aside(&self, line: &str);
}
