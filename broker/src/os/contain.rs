//! Containment, seen from the recorder: a keeper process starts the session and outlives none of it.
//!
//! The keeper is this program again. As a rule it holds the session in a cgroup of its own, which dies at one word,
//! whoever its processes run as by then; where none can be made, it is a subreaper (prctl(2)) that kills every
//! descendant. Both leave the host what it is. A PID namespace (pid_namespaces(7)) must be asked for: the kernel kills
//! everything in it with its init, however recorder and keeper die, but what is inside sees another host.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Duration;
use std::{io, mem};

use bg_relay::session::{self, Ended, Ending, Word};
use bg_relay::terminal::Medium;
use rustix::process::{getpid, set_child_subreaper};
use rustix::termios::Winsize;
use serde::{Deserialize, Serialize};

use crate::os::cgroup::{Cgroup, NAME};
use crate::os::family::Family;
use crate::os::pty::Pty;
use crate::os::pulse::{Overdue, Pulse};
use crate::os::variables::Variables;
use crate::os::words;

/// How a session's processes are held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Containment {
    /// The kernel kills all of them with the recorder. They see no other process, and no other owner of a file.
    #[serde(rename(serialize = "pid-namespace", deserialize = "namespace"))]
    PidNamespace,
    /// The keeper has the kernel kill all of them when the recorder is gone.
    Cgroup,
    /// The keeper kills all of them that run as this user when the recorder is gone.
    Subreaper,
}

impl Containment {
    /// Returns its name in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::PidNamespace => "namespace",
            Self::Cgroup => "cgroup",
            Self::Subreaper => "subreaper",
        }
    }
}

/// Tries a containment out: a keeper is started that way, starts nothing, and is let go.
///
/// # Errors
/// When it cannot be had here.
pub fn try_out(by: Containment) -> io::Result<()> {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let (_master, terminal) = Pty::open(size, None, Medium::Terminal, Medium::Terminal)?;
    let sides = Sides { terminal, inlet: None };
    let name = format!("{NAME}tried-{}", getpid().as_raw_nonzero());
    let command = ["true".into()];
    Contained::prepare(Some(by), &name, &sides, &command, &Variables::default()).map(drop)
}

/// What a session's leader begins with.
#[derive(Debug)]
pub struct Sides {
    /// The session's side of its terminal.
    pub terminal: OwnedFd,
    /// Its standard input, where that is not the terminal.
    pub inlet: Option<OwnedFd>,
}

impl Sides {
    fn input(&self) -> &OwnedFd {
        self.inlet.as_ref().unwrap_or(&self.terminal)
    }
}

/// A keeper that is ready, with no session process yet.
#[derive(Debug)]
pub struct Contained {
    /// How.
    pub by: Containment,
    keeper: Child,
    family: Family,
    control: BufReader<UnixStream>,
    line: String,
    pulse: Option<Pulse>,
}

impl Contained {
    /// Starts a keeper that will run `command` on the session's sides. Where no containment is `wanted`, it is the best
    /// that leaves the host what it is; one that is wanted is had, or nothing is. `name` is the cgroup's.
    ///
    /// # Errors
    /// When no keeper can be started, or not with what is wanted.
    pub fn prepare(
        wanted: Option<Containment>,
        name: &str,
        sides: &Sides,
        command: &[OsString],
        variables: &Variables,
    ) -> io::Result<Self> {
        let start = |by| Self::keeper(by, name, sides, command, variables);
        match wanted {
            Some(by) => start(by),
            None => start(Containment::Cgroup).or_else(|_| start(Containment::Subreaper)),
        }
    }

    fn keeper(
        by: Containment,
        name: &str,
        sides: &Sides,
        command: &[OsString],
        variables: &Variables,
    ) -> io::Result<Self> {
        let cgroup = match by {
            Containment::Cgroup => Some(Cgroup::make(name)?),
            Containment::PidNamespace | Containment::Subreaper => None,
        };
        let family = Family { cgroup };
        if by != Containment::PidNamespace {
            // What the keeper leaves behind, should it be killed, comes to us.
            set_child_subreaper(Some(getpid()))?;
        }
        let (ours, theirs) = UnixStream::pair()?;
        let keeper = {
            // It keeps its ends of the sockets until it is dropped: a keeper that dies would not be heard before.
            let mut program = words::this_program();
            for name in &variables.removed {
                program.env_remove(name);
            }
            program
                .arg(words::ARGUMENT)
                .args(mode(by, family.cgroup.as_ref()))
                .args(command)
                .envs(variables.set.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::from(sides.terminal.try_clone()?))
                .stderr(Stdio::from(sides.input().try_clone()?))
                .spawn()?
        };
        let control = BufReader::new(ours);
        let mut contained = Self { by, keeper, family, control, line: String::new(), pulse: None };
        contained.control.get_ref().set_read_timeout(Some(READY_PATIENCE))?;
        let mut line = String::new();
        contained.control.read_line(&mut line)?;
        match line.trim_end().strip_prefix(words::FAILED) {
            _ if line == words::READY => Ok(contained),
            Some(why) => Err(io::Error::other(why.trim_start().to_owned())),
            None => Err(io::Error::other("the keeper did not get ready")),
        }
    }

    /// Lets the session begin. One that is overdue is ended, also where nobody calls [`session::Contained::end`].
    ///
    /// # Errors
    /// When the keeper is gone.
    pub fn start(&mut self, overdue: Overdue) -> io::Result<()> {
        self.say(words::GO)?;
        self.control.get_ref().set_nonblocking(true)?;
        self.pulse = Some(Pulse::start(self.control.get_ref().try_clone()?, overdue)?);
        Ok(())
    }

    fn say(&mut self, word: &str) -> io::Result<()> {
        self.control.get_mut().write_all(word.as_bytes())
    }
}

impl session::Contained for Contained {
    fn end(&mut self) -> io::Result<()> {
        match self.say(words::END) {
            // The keeper has ended, so they have; its last word is still to be read.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            said => said,
        }
    }

    fn word(&mut self) -> io::Result<Option<Word>> {
        match self.control.read_line(&mut self.line) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() != io::ErrorKind::ConnectionReset => return Err(e),
            _ => {}
        }
        let line = mem::take(&mut self.line);
        if line == words::LEADER_ENDED {
            return Ok(Some(Word::LeaderEnded));
        }
        let lost = Ended { how: Ending::KeeperLost, killed: 0, survivors: Vec::new() };
        Ok(Some(Word::Ended(words::parse(line.trim_end()).unwrap_or(lost))))
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
        if self.by != Containment::PidNamespace {
            self.family.kill();
        }
        if let Some(cgroup) = &self.family.cgroup {
            cgroup.remove();
        }
    }
}

/// Returns the arguments that ask for a containment.
fn mode(by: Containment, cgroup: Option<&Cgroup>) -> Vec<OsString> {
    let word = match by {
        Containment::PidNamespace => words::NAMESPACE,
        Containment::Subreaper => words::SUBREAPER,
        Containment::Cgroup => words::CGROUP,
    };
    [word.into()].into_iter().chain(cgroup.map(|cgroup| cgroup.dir().into())).collect()
}

const READY_PATIENCE: Duration = Duration::from_secs(10);
