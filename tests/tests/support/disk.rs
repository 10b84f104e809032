//! A small disk of its own: a tmpfs(5) that fills, shrinks, grows and turns read-only, or an ext4 on a device that
//! fails. Mounting needs root.

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
            Command::new("mount")
                .args(["-o", "remount,ro"])
                .arg(&self.at)
                .output()
                .unwrap()
                .status
                .success()
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

/// A file system on a loop device (losetup(8)) that has less room than it says: what it has no room for fails when it
/// is written back, long after write(2) took it.
pub struct Device {
    /// The room.
    below: Disk,
    /// The file system.
    disk: Option<Disk>,
}

impl Device {
    /// Mounts one of 64 MiB that has `kib` KiB, whose room is kept at `below`. None where there are no loop devices.
    pub fn mount(at: &Path, below: &Path, kib: u64) -> Option<Self> {
        let below = Disk::mount(below, kib)?;
        let image = below.at.join("image");
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-m0"]).arg(&image));
        std::fs::create_dir_all(at).unwrap();
        let disk = looped(&image, at)?;
        // It is no spool.
        std::fs::remove_dir(at.join("lost+found")).unwrap();
        Some(Self { below, disk: Some(disk) })
    }

    /// Moves what can be read of it to a disk that works, at the same place.
    pub fn rescue(&mut self) {
        let Some(disk) = self.disk.take() else { return };
        let at = disk.at.clone();
        let kept = self.below.at.join("kept");
        self.below.resize(128 * 1_024);
        run(Command::new("cp").arg("-a").args([&at, &kept]));
        drop(disk);
        run(Command::new("cp").arg("-a").arg(kept.join(".")).arg(&at));
    }
}

fn looped(image: &Path, at: &Path) -> Option<Disk> {
    let mounted = Command::new("mount").args(["-o", "loop"]).args([image, at]).output().unwrap();
    let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
    if !mounted.status.success() {
        println!("no loop device: {why}");
    }
    mounted.status.success().then(|| Disk { at: at.to_owned() })
}

impl Drop for Device {
    /// The file system goes before its room.
    fn drop(&mut self) {
        self.disk.take();
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
