//! A small disk of its own: a tmpfs(5) that fills, shrinks, grows and turns read-only. Mounting needs root.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::wait::until;

/// A mounted disk, unmounted when the test ends.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounts one of `kib` KiB. Who is not root is told that the test looks at nothing; root must be able to.
    pub fn mount(at: &Path, kib: u64) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            println!("skipped: mounting {} needs root", at.display());
            return None;
        }
        std::fs::create_dir_all(at).unwrap();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=700"), "tmpfs"])
            .arg(at));
        Some(Self { at: at.to_owned() })
    }

    /// Gives it another size.
    pub fn resize(&self, kib: u64) {
        run(Command::new("mount").args(["-o", &format!("remount,size={kib}k")]).arg(&self.at));
    }

    /// Lets nobody write; waits until nobody has a file open for that.
    pub fn freeze(&self) {
        until("a disk that nobody writes to", || {
            Command::new("mount").args(["-o", "remount,ro"]).arg(&self.at).output().unwrap().status.success()
        });
    }

    /// Lets everybody write again.
    pub fn thaw(&self) {
        run(Command::new("mount").args(["-o", "remount,rw"]).arg(&self.at));
    }

    /// Fills it but for so many KiB; returns the file that does.
    pub fn fill(&self, kib_left: u64) -> PathBuf {
        let free = rustix::fs::statvfs(&self.at).unwrap();
        let bytes = (free.f_bavail * free.f_frsize).saturating_sub(kib_left * 1_024);
        let filler = self.at.join("filler");
        std::fs::write(&filler, vec![0; bytes.try_into().unwrap()]).unwrap();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
