//! A second ordinary user of this host, who exists as long as a test does. Making one needs root.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::process::install;
use super::wait::{until, within};
use super::world::World;

/// Somebody who lives in a world, in which that is at home.
pub struct Resident {
    /// In passwd(5); the group has the same name.
    pub name: String,
}

impl Resident {
    /// Makes one, with [`PASSWORD`], and gives the world to them. None, with a word, where that cannot be done.
    pub fn of(world: &World) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            println!("skipped: a second user needs root");
            return None;
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("bgt{}x{number}", std::process::id());
        let home = world.home().to_str().unwrap().to_owned();
        let make = || {
            let args =
                ["--no-create-home", "--user-group", "--home-dir", &home, "--shell", "/bin/sh"];
            Command::new("useradd").args(args).arg(&name).stderr(Stdio::null()).status().unwrap()
        };
        // Others may have passwd(5) locked.
        until("there is a second user", || make().success());
        let resident = Self { name };
        until("they have a password", || resident.set_password());
        resident.moves_in(world);
        Some(resident)
    }

    /// Gives them all of a world that is there by now.
    pub fn moves_in(&self, world: &World) {
        let owner = format!("{0}:{0}", self.name);
        let given = Command::new("chown").args(["-R", &owner]).arg(world.home()).status().unwrap();
        assert!(given.success());
    }

    /// Returns a program as they run it.
    pub fn command(&self, world: &World, program: &str) -> Command {
        let mut command = world.command("setpriv");
        command.args(["--reuid", &self.name, "--regid", &self.name, "--init-groups", program]);
        command.env("USER", &self.name).env("LOGNAME", &self.name);
        command
    }

    /// Returns where `bg-shell` is that they may run: the build may stand where only its owner goes.
    pub fn shell(&self, world: &World) -> PathBuf {
        let program = world.home().join("bg-shell-here");
        if !program.exists() {
            install(env!("CARGO_BIN_EXE_shell-under-test"), &program);
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        program
    }

    fn set_password(&self) -> bool {
        let mut chpasswd = Command::new("chpasswd");
        let mut chpasswd = chpasswd.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let line = format!("{}:{PASSWORD}\n", self.name);
        chpasswd.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
        chpasswd.wait().unwrap().success()
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let gone = || {
            let mut userdel = Command::new("userdel");
            userdel.args(["--force", &self.name]).stdout(Stdio::null()).stderr(Stdio::null());
            userdel.status().is_ok_and(|status| matches!(status.code(), Some(0 | 6)))
        };
        within(Duration::from_secs(10), gone);
    }
}

/// Theirs.
pub const PASSWORD: &str = "correct-h0rse-battery!";
static MADE: AtomicU32 = AtomicU32::new(0);
