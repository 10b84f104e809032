//! The session's side: its terminal, its processes, and the signals to this process.

use std::io;
use std::os::fd::AsFd;

use bg_recorder::event::Survivor;
use rustix::termios::Winsize;

/// The master of the session's terminal. It never waits.
pub trait Pty: AsFd {
    /// Reads what the session wrote, until there is no more or `to` is full.
    ///
    /// # Errors
    /// Only for what is not an end.
    fn read(&self, to: &mut [u8]) -> io::Result<Read>;

    /// Writes input for the session; returns how much was taken.
    ///
    /// # Errors
    /// When the pty is gone.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Sets the window's size.
    ///
    /// # Errors
    /// When the pty is gone.
    fn resize(&self, size: Winsize) -> io::Result<()>;
}

/// What is known of how the session's terminal is read.
pub trait Prompt {
    /// Returns how what is typed is read.
    ///
    /// # Errors
    /// When the pty is gone.
    fn reading(&self) -> io::Result<Reading>;

    /// Lets go of the session's side: from now on the end of its last process is the end of the output.
    fn let_go(&mut self);
}

/// How what is typed into a terminal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Line by line, and it is shown.
    Lines,
    /// Line by line, and it is not shown: a secret.
    Secret,
    /// Key by key, by a program that has another terminal on which a secret is read.
    Inner,
    /// Key by key.
    Keys,
}

/// A pty of which both are known.
pub trait Line: Pty + Prompt {}

impl<T: Pty + Prompt> Line for T {}

/// The session's standard input where nobody types it. What is written arrives byte for byte, and dropping it is the
/// end of it. It never waits.
pub trait Inlet: AsFd {
    /// Writes input; returns how much was taken.
    ///
    /// # Errors
    /// A broken pipe where nobody can read it any more.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Returns how many bytes of what was taken nobody has read.
    ///
    /// # Errors
    /// When the kernel does not say.
    fn unread(&self) -> io::Result<u64>;
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Bytes read.
    pub len: usize,
    /// Whether there will be no more.
    pub ended: bool,
}

/// The session's processes. It is readable (poll(2)) when they have ended. Dropping it kills whatever is left.
pub trait Contained: AsFd {
    /// Asks every process of the session to end, and sees to it that they do.
    ///
    /// # Errors
    /// When they cannot be told.
    fn end(&mut self) -> io::Result<()>;

    /// Returns the next word on how the session ends, if there is one. The last one is that it has ended.
    ///
    /// # Errors
    /// When it cannot be heard.
    fn word(&mut self) -> io::Result<Option<Word>>;
}

/// What becomes of a session's processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Its leader has ended by itself; whoever is left is being killed, which may take its time.
    LeaderEnded,
    /// All have ended, but for those that are named.
    Ended(Ended),
}

/// How the session's leader ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It was never started.
    NotStarted(io::ErrorKind, String),
    /// The keeper is gone, and the session with it.
    KeeperLost,
    /// The keeper ended it: it had heard nothing of this process.
    Unheard,
}

/// The last word of a keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How the leader ended.
    pub how: Ending,
    /// How many other processes were killed then.
    pub killed: u64,
    /// Those that could not be.
    pub survivors: Vec<Survivor>,
}

/// Signals to this process. They are readable (poll(2)) when one came.
pub trait Signals: AsFd {
    /// Returns what came since the last call.
    fn pending(&mut self) -> Vec<Signal>;
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The terminal has another size.
    Resized,
    /// This process was stopped, and goes on.
    Continued,
    /// The terminal is gone.
    HungUp,
    /// Somebody wants the session to end.
    Terminated(&'static str),
}
