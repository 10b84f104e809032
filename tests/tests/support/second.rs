//! The second implementation, `tests/vectors/verify.py`, as a long-running process.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bg_tests::vector::Objects;
use serde_json::Value;
use tempfile::TempDir;

use super::tape::Tape;

/// `verify.py --batch`.
pub struct Second {
    child: Child,
    paths: ChildStdin,
    answers: BufReader<ChildStdout>,
    dir: TempDir,
}

impl Second {
    /// Starts it with one trusted key and one time for all tapes.
    pub fn start(trust: &Path, now_us: u64) -> Self {
        let mut child = python()
            .arg("--batch")
            .arg("--trust")
            .arg(trust)
            .args(["--now", &now_us.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let paths = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, paths, answers, dir: tempfile::tempdir().unwrap() }
    }

    /// Verifies a tape that it finds in a directory.
    pub fn verify(&mut self, session: &str, objects: &Objects) -> Value {
        let tape = write(self.dir.path(), session, objects);
        writeln!(self.paths, "{}", tape.display()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        fs::remove_dir_all(tape).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }

    /// Verifies tapes where they are, at the present time; returns a verdict for each.
    pub fn verdicts(trust: &Path, tapes: &[Tape]) -> Vec<String> {
        let mut command = python();
        command.arg("--trust").arg(trust).args(tapes.iter().map(|tape| &tape.dir));
        let reports = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let verdict = |line| {
            serde_json::from_str::<Value>(line).unwrap()["verdict"].as_str().unwrap().to_owned()
        };
        reports.lines().map(verdict).collect()
    }

    /// Opens a tape; returns the asciicast.
    pub fn open(keys: &Path, session: &str, objects: &Objects) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let tape = write(dir.path(), session, objects);
        let output = python()
            .arg("--trust")
            .arg(keys.join("sign.pub.pem"))
            .arg("--open")
            .arg(keys.join("open.pem"))
            .args(["--cast", "-"])
            .arg(tape)
            .output()
            .unwrap();
        assert!(!output.stdout.is_empty(), "{output:?}");
        output.stdout
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        self.child.kill().unwrap_or(());
        self.child.wait().map(drop).unwrap_or(());
    }
}

fn write(dir: &Path, session: &str, objects: &Objects) -> PathBuf {
    let tape = dir.join(session);
    for (name, bytes) in objects {
        let path = tape.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::create_dir_all(&tape).unwrap();
    tape
}

fn python() -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: tests/run makes it", python.display());
    let mut command = Command::new(python);
    command.arg(root.join("vectors/verify.py"));
    command
}
