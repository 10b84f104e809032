//! A cgroup v2 of a session's own (cgroups(7)): one word kills everything in it, whoever it runs as by then.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;

/// A session's cgroup. It is below the one that this process is in, so whoever may make it may enter it.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no cgroup v2 here, it is not delegated to this user, or the kernel is older than 5.14.
    pub fn make(name: &str) -> io::Result<Self> {
        let parent = own()?;
        sweep(&parent);
        let dir = parent.join(name);
        fs::create_dir(&dir).map_err(|e| said(e, "make", &dir))?;
        let cgroup = Self(dir);
        match fs::metadata(cgroup.0.join(KILL)) {
            Ok(_) => Ok(cgroup),
            Err(e) => {
                cgroup.remove();
                Err(said(e, "use", &parent))
            }
        }
    }

    /// Returns the one that another process made.
    pub fn at(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// Lends its directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// Opens its door: who writes a zero there is inside.
    ///
    /// # Errors
    /// When this user may not enter it.
    pub fn door(&self) -> io::Result<File> {
        File::options().write(true).open(self.0.join(MEMBERS))
    }

    /// Goes in and out again: where that works, it will work for the session's leader.
    ///
    /// # Errors
    /// When it does not.
    pub fn try_out(&self) -> io::Result<()> {
        let outside = own()?.join(MEMBERS);
        let moved = |to: &Path| fs::write(to, "0").map_err(|e| said(e, "enter", to));
        moved(&self.0.join(MEMBERS))?;
        moved(&outside)
    }

    /// Kills everything in it, and below it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn kill(&self) -> io::Result<()> {
        fs::write(self.0.join(KILL), "1")
    }

    /// Lists who is in it, and below it.
    pub fn members(&self) -> Vec<Pid> {
        let lists: Vec<String> = self
            .tree()
            .iter()
            .map(|dir| fs::read_to_string(dir.join(MEMBERS)).unwrap_or_default())
            .collect();
        let ids = lists.iter().flat_map(|list| list.lines());
        ids.filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
    }

    /// Removes it, with those that were made below it. One that still has members stays.
    pub fn remove(&self) {
        for dir in self.tree().iter().rev() {
            let mut tries = 0;
            // The last of its dead may still be on their way out: then it is busy, with nobody in it.
            while fs::remove_dir(dir).is_err_and(|e| e.kind() == io::ErrorKind::ResourceBusy)
                && tries < TRIES_MAX
            {
                tries += 1;
                thread::sleep(PAUSE);
            }
        }
    }

    /// Lists it and all below it, parents first.
    fn tree(&self) -> Vec<PathBuf> {
        let mut tree = vec![self.0.clone()];
        let mut at = 0;
        while let Some(dir) = tree.get(at).filter(|_| at < TREE_MAX) {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let below: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
            tree.extend(below);
            at += 1;
        }
        tree
    }
}

/// Returns the directory of the cgroup v2 that this process is in, wherever that hierarchy is mounted.
fn own() -> io::Result<PathBuf> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "no cgroup v2 here");
    let cgroups = fs::read_to_string("/proc/self/cgroup")?;
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::")).ok_or_else(none)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    mounts.lines().find_map(|line| within(line, Path::new(path))).ok_or_else(none)
}

/// Returns where a mount of proc_pid_mountinfo(5) shows a cgroup, if it is one of cgroup v2.
fn within(mount: &str, path: &Path) -> Option<PathBuf> {
    let (mount, kind) = mount.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let root = fields.next()?;
    let point = fields.next()?;
    let below = path.strip_prefix(root).ok().filter(|_| kind.starts_with("cgroup2 "))?;
    Some(Path::new(point).join(below))
}

/// Removes what sessions left here of whom nobody lives: recorder and keeper were killed, or ended a moment too early.
fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(NAME));
    // A session that has just made its own, and nobody in it yet, is not to lose it.
    let old = |path: &PathBuf| {
        let made = path.metadata().and_then(|cgroup| cgroup.modified()).ok();
        made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > OLD)
    };
    ours.map(|entry| entry.path()).filter(old).for_each(|dir| Cgroup(dir).remove());
}

fn said(e: io::Error, verb: &str, what: &Path) -> io::Error {
    io::Error::new(e.kind(), format!("cannot {verb} {}: {e}", what.display()))
}

/// What the names of sessions' cgroups begin with.
pub const NAME: &str = "bg-shell-";
/// Between making a cgroup and entering it a session has its opening only, codes and approvals included.
const OLD: Duration = Duration::from_secs(86_400);
const TRIES_MAX: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);
const KILL: &str = "cgroup.kill";
const MEMBERS: &str = "cgroup.procs";
/// More than anybody makes; each is looked at each time.
const TREE_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_where_its_hierarchy_is_mounted() {
        let unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let found = within(unified, Path::new("/user.slice/a"));
        assert_eq!(found, Some("/sys/fs/cgroup/unified/user.slice/a".into()));
        let container = "41 31 0:38 /box/7 /sys/fs/cgroup ro shared:9 - cgroup2 cgroup rw";
        assert_eq!(within(container, Path::new("/box/7/in")), Some("/sys/fs/cgroup/in".into()));
        assert_eq!(within(container, Path::new("/other")), None);
        let first = "40 31 0:37 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        assert_eq!(within(first, Path::new("/")), None);
    }
}
