//! Processes as `/proc` shows them, and signals to them.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

/// One living process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id, seen from here.
    pub pid: u32,
    /// Its arguments, joined by spaces.
    pub args: String,
}

/// Copies a program to where others may run it, by a process of its own: what this one still has open while another
/// thread starts a program cannot be run (ETXTBSY, execve(2)).
pub fn install(program: &str, to: &Path) {
    assert!(Command::new("cp").arg(program).arg(to).status().unwrap().success());
}

/// Returns the processes whose environment has this entry. A zombie has no environment any more.
pub fn with_environment(entry: &str) -> Vec<Process> {
    let numbered = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|dir| dir.ok()?.file_name().to_str()?.parse().ok());
    numbered.filter(|pid| has(*pid, entry)).map(|pid| Process { pid, args: args(pid) }).collect()
}

/// Sends a signal; a process that is gone needs none.
pub fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap_or(());
}

/// Returns the resident memory of a process in KiB (proc_pid_status(5)).
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn has(pid: u32, entry: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|b| *b == 0).any(|found| found == entry.as_bytes())
}

fn args(pid: u32) -> String {
    let args = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&args).trim_end_matches('\0').replace('\0', " ")
}
