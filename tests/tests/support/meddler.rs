//! Somebody who makes the system calls of a running process fail: strace(1), attached to it. Only root may do that to
//! a recorder, which is not dumpable (prctl(2)).

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::wait::until;

/// Meddles until it is dropped.
pub struct Meddler(Child);

impl Meddler {
    /// From now on, `what` happens to a process, such as `fdatasync:error=EIO`. None where nobody can do that.
    pub fn attach(pid: u32, what: &str) -> Option<Self> {
        let meddler = Self::start(&["-f"], pid, what)?;
        until("every thread is traced", || threads(pid).all(traced));
        Some(meddler)
    }

    /// From now on, `what` happens to one thread of a process, and to no other. strace(1) counts the calls of each
    /// thread for itself (`when=20` is the 20th of every thread), so only of one thread can one call be meant.
    pub fn attach_to_thread(pid: u32, name: &str, what: &str) -> Option<Self> {
        let named = |thread: &PathBuf| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        };
        let mut thread = None;
        // A thread names itself once it runs.
        until("a thread of that name", || {
            thread = threads(pid).find(named);
            thread.is_some()
        });
        let thread = thread.unwrap();
        let id = thread.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let meddler = Self::start(&[], id, what)?;
        until("the thread is traced", || traced(thread.clone()));
        Some(meddler)
    }

    fn start(options: &[&str], id: u32, what: &str) -> Option<Self> {
        let (call, _) = what.split_once(':').unwrap();
        let mut strace = Command::new("strace");
        strace.args(options).args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
        strace.args(["-e", &format!("inject={what}"), "-p", &id.to_string()]);
        let quiet = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if !rustix::process::getuid().is_root() {
            return None;
        }
        quiet.spawn().ok().map(Self)
    }
}

impl Drop for Meddler {
    /// Lets go of the process. Who is killed cannot meddle.
    fn drop(&mut self) {
        self.0.kill().unwrap_or(());
        self.0.wait().map(drop).unwrap_or(());
    }
}

/// Returns the directory of each thread; of a process that is gone, none.
fn threads(pid: u32) -> impl Iterator<Item = PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    tasks.map(|task| task.unwrap().path())
}

fn traced(thread: PathBuf) -> bool {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    !status.contains("TracerPid:\t0\n")
}
