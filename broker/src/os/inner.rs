//! Terminals that programs of a session made (tmux, screen, script, sudo): what is typed into the session's own goes on
//! to one of them. Nobody else's are touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::getpid;
use rustix::termios::{InputModes, LocalModes, tcgetattr};

use crate::os::family::descendants;

/// The host's terminals as they were when the session's was made, with the time of each: none of them is one of its
/// programs'. A number is given again, a time is not.
#[derive(Debug)]
pub struct Inner {
    own: u32,
    before: BTreeMap<u32, (i64, i64)>,
}

impl Inner {
    /// Looks for the first time; `own` is the session's own.
    pub fn of(own: u32) -> Self {
        Self { own, before: terminals().collect() }
    }

    /// Returns whether a secret is read on one of them, as far as this user may ask them. There may be several, and
    /// which is in front nobody says: one that asks is enough.
    pub fn reads_secret(&self) -> bool {
        // Each key comes by here: where no terminal has been made since, nobody is looked for.
        let since = |(number, made)| number != self.own && self.before.get(&number) != Some(&made);
        if !terminals().any(since) {
            return false;
        }
        let terminals: BTreeSet<u32> = session().into_iter().filter_map(terminal).collect();
        terminals.into_iter().any(|number| number != self.own && asks(number))
    }
}

/// Returns which terminal of the host a device number is (ptmx(4)).
pub fn number(device: u64) -> Option<u32> {
    let major = rustix::fs::major(device);
    (major == PTS_MAJOR).then(|| rustix::fs::minor(device))
}

/// Lists the host's terminals, with the time of their making, to the nanosecond.
fn terminals() -> impl Iterator<Item = (u32, (i64, i64))> {
    fs::read_dir("/dev/pts").into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let number = entry.file_name().to_str()?.parse().ok()?;
        let made = entry.metadata().ok()?;
        Some((number, (made.ctime(), made.ctime_nsec())))
    })
}

/// Line mode on and echo off. Where Enter ends no line, no person types: Emacs leaves such terminals to its children.
fn asks(number: u32) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let settings = open(format!("/dev/pts/{number}"), flags, Mode::empty()).and_then(tcgetattr);
    settings.is_ok_and(|settings| {
        settings.local_modes.contains(LocalModes::ICANON)
            && !settings.local_modes.contains(LocalModes::ECHO)
            && settings.input_modes.contains(InputModes::ICRNL)
    })
}

/// Returns a process's controlling terminal (proc_pid_stat(5), tty_nr).
fn terminal(pid: i32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let device: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(4)?.parse().ok()?;
    number(device)
}

/// Lists the session's processes, from the main thread's children down: the keeper is one. A kernel that does not list
/// children (CONFIG_PROC_CHILDREN) has all processes asked for their parents.
fn session() -> Vec<i32> {
    let own = getpid().as_raw_nonzero();
    let Ok(list) = fs::read_to_string(format!("/proc/{own}/task/{own}/children")) else {
        return descendants().into_iter().map(|pid| pid.as_raw_nonzero().get()).collect();
    };
    let mut family: Vec<i32> = ids(&list).collect();
    let mut at = 0;
    while let Some(parent) = family.get(at).filter(|_| at < ASKED_MAX) {
        let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let lists =
            threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let children: Vec<i32> = lists.flat_map(|list| ids(&list).collect::<Vec<_>>()).collect();
        family.extend(children);
        at += 1;
    }
    family
}

fn ids(list: &str) -> impl Iterator<Item = i32> {
    list.split_whitespace().filter_map(|id| id.parse().ok())
}

/// The first major number of pty slaves, which has them all (devices.txt of the kernel).
const PTS_MAJOR: u32 = 136;
/// More processes than a session has as a rule: each costs a look at every key, once a terminal was made.
const ASKED_MAX: usize = 1_024;
