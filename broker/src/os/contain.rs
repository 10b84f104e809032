//! Containment, seen from the recorder: a keeper process starts the session and outlives none of it.
//!
//! The keeper is this program again. It makes a PID namespace (pid_namespaces(7)) whose init it keeps: when the
//! recorder dies, however it dies, the kernel kills the keeper, then the namespace's init, then everything in it.
//! Where no namespace can be had, the keeper is a subreaper (prctl(2)) that kills every descendant instead.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Signal, getpid, set_child_subreaper};
use serde::Serialize;

use crate::os::keeper;
use crate::os::variables::Variables;

/// How a session's processes are held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Containment {
    /// The kernel kills all of them with the recorder.
    PidNamespace,
    /// The keeper kills all of them when the recorder is gone.
    Subreaper,
}

/// A keeper that is ready, with no session process yet.
#[derive(Debug)]
pub struct Contained {
    /// How.
    pub by: Containment,
    keeper: Child,
    control: BufReader<UnixStream>,
    line: String,
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
}

/// The last word of a keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How the leader ended.
    pub how: Ending,
    /// How many other processes were killed then.
    pub killed: u64,
}

impl Contained {
    /// Starts a keeper that will run `command` on the session's side of the pty.
    ///
    /// # Errors
    /// When no keeper can be started.
    pub fn prepare(
        session: &OwnedFd,
        command: &[OsString],
        variables: &Variables,
    ) -> io::Result<Self> {
        match Self::keeper(session, command, variables, Containment::PidNamespace) {
            Ok(contained) => Ok(contained),
            Err(_) => {
                // What the keeper leaves behind, should it be killed, comes to us.
                set_child_subreaper(Some(getpid()))?;
                Self::keeper(session, command, variables, Containment::Subreaper)
            }
        }
    }

    fn keeper(
        session: &OwnedFd,
        command: &[OsString],
        variables: &Variables,
        by: Containment,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut keeper = keeper::this_program();
        for name in &variables.removed {
            keeper.env_remove(name);
        }
        let keeper = keeper
            .arg(keeper::ARGUMENT)
            .arg(keeper::mode(by))
            .args(command)
            .envs(variables.set.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(session.try_clone()?))
            .stderr(Stdio::from(session.try_clone()?))
            .spawn()?;
        let mut contained = Self { by, keeper, control: BufReader::new(ours), line: String::new() };
        contained.control.get_ref().set_read_timeout(Some(READY_PATIENCE))?;
        let mut line = String::new();
        contained.control.read_line(&mut line)?;
        if line == keeper::READY {
            Ok(contained)
        } else {
            Err(io::Error::other("the keeper did not get ready"))
        }
    }

    /// Lets the session begin.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub fn start(&mut self) -> io::Result<()> {
        self.say(keeper::GO)?;
        self.control.get_ref().set_nonblocking(true)
    }

    /// Asks every process of the session to end, and kills what has not soon after.
    ///
    /// # Errors
    /// When the keeper cannot be told.
    pub fn end(&mut self) -> io::Result<()> {
        match self.say(keeper::END) {
            // The keeper has ended, so they have; its last word is still to be read.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            said => said,
        }
    }

    /// Returns how the session ended, once the keeper has said it.
    ///
    /// # Errors
    /// When it cannot be heard.
    pub fn ended(&mut self) -> io::Result<Option<Ended>> {
        match self.control.read_line(&mut self.line) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() != io::ErrorKind::ConnectionReset => return Err(e),
            _ => {}
        }
        let lost = Ended { how: Ending::KeeperLost, killed: 0 };
        Ok(Some(keeper::parse(self.line.trim_end()).unwrap_or(lost)))
    }

    fn say(&mut self, word: &str) -> io::Result<()> {
        self.control.get_mut().write_all(word.as_bytes())
    }
}

impl AsFd for Contained {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.get_ref().as_fd()
    }
}

impl Drop for Contained {
    /// Kills whatever is left: a session never goes on without its recorder.
    fn drop(&mut self) {
        // Both fail only when the keeper has ended already.
        drop(self.keeper.kill());
        drop(self.keeper.wait());
        if self.by == Containment::Subreaper {
            keeper::kill_all(Signal::KILL);
        }
    }
}

const READY_PATIENCE: Duration = Duration::from_secs(10);
