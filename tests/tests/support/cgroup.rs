//! A memory cgroup without memory (cgroups(7), either version): who is put there is ended by the kernel's OOM killer.
//! Making one needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wait::within;

/// A cgroup of its own, removed when the test ends.
pub struct Starved(PathBuf);

impl Starved {
    /// Puts a process into a cgroup that has no byte left. None where no such cgroup can be made.
    pub fn put(pid: u32) -> Option<Self> {
        let second = Path::new("/sys/fs/cgroup");
        let (root, limit) = if second.join("cgroup.controllers").exists() {
            // It gives a controller to its children only when it is told to.
            fs::write(second.join("cgroup.subtree_control"), "+memory").ok()?;
            (second.to_owned(), "memory.max")
        } else {
            (second.join("memory"), "memory.limit_in_bytes")
        };
        let starved = Self(root.join(format!("bg-shell-test-{pid}")));
        fs::create_dir(&starved.0).ok()?;
        fs::write(starved.0.join(limit), "0").ok()?;
        fs::write(starved.0.join("cgroup.procs"), pid.to_string()).ok()?;
        Some(starved)
    }

    /// Returns how many processes the OOM killer has ended there.
    pub fn killed(&self) -> u64 {
        let read = |name: &str| fs::read_to_string(self.0.join(name)).unwrap_or_default();
        let text = read("memory.oom_control") + &read("memory.events");
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Starved {
    /// A cgroup can be removed once its processes are gone.
    fn drop(&mut self) {
        within(Duration::from_secs(10), || !self.0.exists() || fs::remove_dir(&self.0).is_ok());
    }
}
