//! Somebody who makes the system calls of a running process fail: strace(1), attached to it. Only root may do that to
//! a recorder, which is not dumpable (prctl(2)).

use std::fs;
use std::process::{Child, Command, Stdio};

use super::wait::until;

/// Meddles until it is dropped.
pub struct Meddler(Child);

impl Meddler {
    /// From now on, `what` happens to a process, such as `fdatasync:error=EIO`. None where nobody can do that.
    pub fn attach(pid: u32, what: &str) -> Option<Self> {
        let (call, _) = what.split_once(':').unwrap();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
        strace.arg(format!("inject={what}")).args(["-p", &pid.to_string()]);
        let quiet = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if !rustix::process::getuid().is_root() {
            return None;
        }
        let meddler = Self(quiet.spawn().ok()?);
        until("every thread is traced", || traced(pid));
        Some(meddler)
    }
}

impl Drop for Meddler {
    /// Lets go of the process. Who is killed cannot meddle.
    fn drop(&mut self) {
        self.0.kill().unwrap_or(());
        self.0.wait().map(drop).unwrap_or(());
    }
}

fn traced(pid: u32) -> bool {
    let Ok(mut threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.all(|thread| {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}
