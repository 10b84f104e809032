//! Terminals that programs of a session made (tmux, screen, script, sudo): what is typed into the session's own goes on
//! to one of them.

use std::fs;

use rustix::fs::{Mode, OFlags, open};
use rustix::termios::{InputModes, LocalModes, tcgetattr};

use crate::os::family::descendants;

/// Returns whether a secret is read on one of them, as far as this user may ask them; `own` is the session's own. There
/// may be several, and which is in front nobody says: one that asks is enough.
pub fn reads_secret(own: u32) -> bool {
    let Ok(entries) = fs::read_dir("/dev/pts") else { return false };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let others = numbers.filter(|number| *number != own).take(ASKED_MAX);
    let asking: Vec<u32> = others.filter(|number| asks(*number)).collect();
    // Whose they are costs a look at all processes.
    !asking.is_empty() && terminals().any(|number| asking.contains(&number))
}

/// Returns which terminal of the host a device number is (ptmx(4)).
pub fn number(device: u64) -> Option<u32> {
    let major = rustix::fs::major(device);
    (major == PTS_MAJOR).then(|| rustix::fs::minor(device))
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

/// Lists the controlling terminals of the session's processes (proc_pid_stat(5), tty_nr).
fn terminals() -> impl Iterator<Item = u32> {
    descendants().into_iter().filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        let device: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(4)?.parse().ok()?;
        number(device)
    })
}

/// The first major number of pty slaves, which has them all (devices.txt of the kernel).
const PTS_MAJOR: u32 = 136;
/// More terminals than a person has open.
const ASKED_MAX: usize = 256;
