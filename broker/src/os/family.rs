//! Every process of a session, found and killed, and those that cannot be killed named.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use bg_recorder::event::Survivor;
use bg_recorder::neutral::neutral;
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::os::cgroup::Cgroup;

/// The descendants of this process, and whoever is in the session's cgroup, if it has one.
#[derive(Debug, Default)]
pub struct Family {
    /// It.
    pub cgroup: Option<Cgroup>,
}

/// What became of a family.
#[derive(Debug, Default)]
pub struct Toll {
    /// How many were killed.
    pub killed: u64,
    /// Who lives on: of another user, or not to be woken up any more.
    pub survivors: Vec<Survivor>,
}

impl Family {
    /// Asks all of them to end, and waits until none lives, for a while at most. Who stands still goes on, to hear it.
    pub fn ask(&self, signal: Signal, patience: Duration) {
        for pid in self.living() {
            // Who is gone needs no signal; who may not be signalled is killed later, or named.
            kill_process(pid, signal).unwrap_or(());
            kill_process(pid, Signal::CONT).unwrap_or(());
        }
        let began = Instant::now();
        while began.elapsed() < patience && !self.living().is_empty() {
            thread::sleep(PAUSE);
        }
    }

    /// Kills all of them, and goes on until none lives, for a few seconds: one that a tracer holds in its exit, or
    /// that waits for a disk, holds nobody up. Who may not be signalled is not gone.
    pub fn kill(&self) -> Toll {
        let began = Instant::now();
        let mut met = HashSet::new();
        loop {
            let living = self.living();
            let refused = living.iter().filter(|pid| !reaches(**pid)).count();
            met.extend(living.iter().map(|pid| pid.as_raw_nonzero()));
            if let Some(cgroup) = &self.cgroup {
                // It may be gone; then nobody is in it.
                cgroup.kill().unwrap_or(());
            }
            let patience = if refused == living.len() { REFUSED } else { PATIENCE };
            if living.is_empty() || began.elapsed() > patience {
                let killed = (met.len() - living.len()) as u64;
                let survivors = living.into_iter().take(NAMED_MAX).map(named).collect();
                return Toll { killed, survivors };
            }
            thread::sleep(PAUSE.min(began.elapsed() / 4));
        }
    }

    /// Returns whether one of them lives.
    pub fn holds(&self, pid: Pid) -> bool {
        self.living().contains(&pid)
    }

    /// Lists who lives.
    fn living(&self) -> HashSet<Pid> {
        let inside = self.cgroup.as_ref().map(Cgroup::members).unwrap_or_default();
        descendants().into_iter().chain(inside).collect()
    }
}

/// Kills a process; returns whether this user may.
fn reaches(pid: Pid) -> bool {
    kill_process(pid, Signal::KILL) != Err(rustix::io::Errno::PERM)
}

fn named(pid: Pid) -> Survivor {
    let place = format!("/proc/{}", pid.as_raw_nonzero());
    let read = |file: &str| fs::read_to_string(format!("{place}/{file}")).unwrap_or_default();
    let words = read("cmdline").replace('\0', " ");
    let command = if words.trim().is_empty() { read("comm") } else { words };
    let command = neutral(command.trim()).chars().take(COMMAND_MAX).collect();
    let uid = fs::metadata(&place).map_or(0, |process| process.uid());
    Survivor { pid: pid.as_raw_nonzero().get(), uid, command }
}

/// Lists the living descendants of this process, by the parents that `/proc` names (proc_pid_stat(5)).
pub fn descendants() -> Vec<Pid> {
    let processes: Vec<(i32, i32)> = fs::read_dir("/proc").map_or_else(
        |_| Vec::new(),
        |entries| {
            entries
                .filter_map(|entry| parent_of(entry.ok()?.file_name().to_str()?.parse().ok()?))
                .collect()
        },
    );
    let mut family = vec![getpid().as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// Returns a process with its parent, unless it is a zombie.
fn parent_of(pid: i32) -> Option<(i32, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses included.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // A leader whose other threads live on looks like a zombie, and is none (num_threads, field 20).
    let threads: u64 = fields.nth(15)?.parse().ok()?;
    (state != "Z" || threads > 1).then_some((pid, parent))
}

/// How long killing goes on.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it goes on where nobody that is left may be signalled: they may end by themselves.
const REFUSED: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(20);
/// How many are named, and how much of each.
const NAMED_MAX: usize = 20;
const COMMAND_MAX: usize = 120;
