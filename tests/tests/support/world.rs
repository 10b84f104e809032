//! A practice world of its own for one test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bg_recorder::practice::Practice;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::process::{self, Process};
use super::tape::Tape;

/// A fresh state directory, removed when the test ends.
pub struct World {
    dir: TempDir,
}

impl World {
    /// Makes one.
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Returns `$XDG_STATE_HOME`.
    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the practice state directory.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("bg-shell")
    }

    /// Returns `bg-shell`, in this world and in a clean environment.
    pub fn shell(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_shell-under-test"))
    }

    /// Returns `bg-shell` with standard error in a file, so that the terminal shows the session and nothing else.
    pub fn quiet_shell(&self) -> Command {
        let mut command = self.command("sh");
        let shell = env!("CARGO_BIN_EXE_shell-under-test");
        command.args(["-c", r#"exec "$0" "$@" 2>"$HOME/stderr""#, shell]);
        command
    }

    /// Returns what it said there.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.home().join("stderr")).unwrap()
    }

    /// Returns `bg-replay`, likewise.
    pub fn replay(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_replay-under-test"))
    }

    /// Returns any program, likewise.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir(self.dir.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.dir.path())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    /// Records `sh -c SCRIPT` and returns what bg-shell said.
    pub fn record(&self, script: &str) -> Output {
        self.shell()
            .args(["open", "--reason", "a test", "--", "sh", "-c", script])
            .output()
            .unwrap()
    }

    /// Has its sessions contained in one way, or not begin.
    pub fn contain(&self, by: &str) -> &Self {
        let dir = self.home().join(".config/bg-shell");
        std::fs::create_dir_all(&dir).unwrap();
        let section = format!("[practice]\ncontainment = {by:?}\n");
        std::fs::write(dir.join("config.toml"), section).unwrap();
        self
    }

    /// Returns the places below this world.
    pub fn practice(&self) -> Practice {
        Practice { root: self.state() }
    }

    /// Returns the tapes of all sessions, oldest first.
    pub fn tapes(&self) -> Vec<Tape> {
        let mut dirs = below(&self.state().join("evidence/sessions"), 4);
        dirs.sort_by_key(|dir| dir.file_name().map(ToOwned::to_owned));
        dirs.into_iter().map(|dir| Tape { dir, practice: self.practice() }).collect()
    }

    /// Returns the only session's tape.
    pub fn tape(&self) -> Tape {
        let tapes = self.tapes();
        assert_eq!(tapes.len(), 1, "{tapes:?}");
        tapes[0].clone()
    }

    /// Returns the spools that are left.
    pub fn spools(&self) -> Vec<PathBuf> {
        below(&self.state().join("spool"), 1)
    }

    /// Returns whether the only spool has shipped all but the genesis, which stays.
    pub fn spooled_is_genesis(&self) -> bool {
        let empty =
            |part: &str| std::fs::read_dir(self.spools()[0].join(part)).unwrap().next().is_none();
        empty("segments") && empty("checkpoints")
    }

    /// Runs `bg-shell recover`.
    pub fn recover(&self) -> Output {
        self.shell().arg("recover").output().unwrap()
    }

    /// Returns the living processes of this world: bg-shell, and whatever its sessions started.
    pub fn processes(&self) -> Vec<Process> {
        process::with_environment(&format!("HOME={}", self.home().display()))
    }

    /// Returns what `bg-replay verify --json` says of one session.
    pub fn verify(&self, id: &str) -> Value {
        let output = self.replay().args(["verify", id, "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    }

    /// Returns an export of the newest session.
    pub fn export(&self, format: &str) -> Vec<u8> {
        let output = self.replay().args(["export", "last", "--format", format]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }
}

impl Drop for World {
    /// Leaves no process behind, whatever the test found.
    fn drop(&mut self) {
        for process in self.processes() {
            process::signal(process.pid, Signal::KILL);
        }
    }
}

/// Returns the directories `depth` levels below one.
pub fn below(dir: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let dirs = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    if depth <= 1 { dirs.collect() } else { dirs.flat_map(|dir| below(&dir, depth - 1)).collect() }
}

/// Returns standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
