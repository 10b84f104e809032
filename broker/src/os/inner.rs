//! Terminals that programs of a session made (tmux, screen, script, sudo): what is typed into the session's own goes on
//! to one of them. Nobody else's are touched.

use std::collections::BTreeSet;
use std::fs;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::getpid;
use rustix::termios::{InputModes, LocalModes, tcgetattr};

use crate::os::family::descendants;

/// Returns whether a secret is read on one of them, as far as this user may ask them; `own` is the session's own. There
/// may be several, and which is in front nobody says: one that asks is enough.
pub fn reads_secret(own: u32) -> bool {
    // Each key comes by here: where no other terminal is, nobody is looked for.
    if !others_are_here(own) {
        return false;
    }
    let terminals: BTreeSet<u32> = session().into_iter().filter_map(terminal).collect();
    terminals.into_iter().any(|number| number != own && asks(number))
}

/// Returns which terminal of the host a device number is (ptmx(4)).
pub fn number(device: u64) -> Option<u32> {
    let major = rustix::fs::major(device);
    (major == PTS_MAJOR).then(|| rustix::fs::minor(device))
}

fn others_are_here(own: u32) -> bool {
    let Ok(entries) = fs::read_dir("/dev/pts") else { return false };
    let mut numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.any(|number: u32| number != own)
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
/// More processes than a session has as a rule: each costs a look at every key.
const ASKED_MAX: usize = 1_024;
