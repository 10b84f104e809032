//! The scripted responder: runs bg-shell itself, as a person would, and leaves no session behind.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bg_recorder::session::SessionId;
use rustix::process::{Pid, Signal, kill_process};

use crate::drill::log::Wrong;
use crate::environment::SESSION_VARIABLE;
use crate::failure::Failure;
use crate::world::World;

/// Somebody who does as the drill says.
pub struct Responder<'a> {
    world: &'a World,
    program: PathBuf,
    /// A directory of its own, where the session says that it is there. Nothing of that goes onto the tape.
    pub place: PathBuf,
    command: Vec<OsString>,
}

/// In what a session is opened, where that is not as usual.
#[derive(Debug, Default)]
pub struct Circumstances {
    /// Another configuration.
    pub config: Option<PathBuf>,
    /// More in the environment.
    pub environment: Vec<(&'static str, OsString)>,
}

/// An open session.
pub struct Session {
    child: Child,
    said: PathBuf,
    pub id: SessionId,
    /// Where its tools find credentials, and with which token; empty without an access.
    pub endpoint: (String, String),
}

impl<'a> Responder<'a> {
    /// Sends for one.
    ///
    /// # Errors
    /// When there is no place to work in.
    pub fn new(world: &'a World, command: &[OsString]) -> Result<Self, Failure> {
        let no_place = |e| Failure::new("cannot make a place for the drill").because(e);
        let program = std::env::current_exe().map_err(no_place)?;
        let place =
            world.evidence().state().join("run").join(format!("drill-{}", SessionId::mint()));
        DirBuilder::new().recursive(true).mode(0o700).create(&place).map_err(no_place)?;
        Ok(Self { world, program, place, command: command.to_vec() })
    }

    /// Runs a command of bg-shell to its end; returns its standard output.
    ///
    /// # Errors
    /// When it ends with another code than these.
    pub fn runs(&self, args: &[&OsStr], codes: &[i32]) -> Result<String, Wrong> {
        self.runs_under(&Circumstances::default(), args, codes)
    }

    /// Runs bg-shell under other circumstances, to its end.
    ///
    /// # Errors
    /// When it ends with another code than these.
    pub fn runs_under(
        &self,
        circumstances: &Circumstances,
        args: &[&OsStr],
        codes: &[i32],
    ) -> Result<String, Wrong> {
        let output = self.shell(circumstances).args(args).stdin(Stdio::null()).output();
        let output = output.map_err(not_run)?;
        match output.status.code() {
            Some(code) if codes.contains(&code) => {
                Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
            }
            _ => Err(complaint(&String::from_utf8_lossy(&output.stderr), output.status)),
        }
    }

    /// Opens a session, and waits until its first command runs.
    ///
    /// # Errors
    /// When it ends before that.
    pub fn opens(&self, args: &[&OsStr], circumstances: &Circumstances) -> Result<Session, Wrong> {
        let said = self.place.join("said");
        let file = |path: &Path| {
            File::create(path).map_err(|e| Wrong::Saw(format!("{}: {e}", path.display())))
        };
        let mut shell = self.shell(circumstances);
        shell
            .arg("open")
            .args(args)
            .args(["--", "sh", "-c", SCRIPT, "drill"])
            .arg(&self.place)
            .args(&self.command);
        shell.stdin(Stdio::piped()).stdout(file(&self.place.join("screen"))?).stderr(file(&said)?);
        let mut child = shell.spawn().map_err(not_run)?;
        let ready = self.place.join("ready");
        let mut ended = None;
        let arrived = within(PATIENCE, || {
            ended = child.try_wait().ok().flatten();
            ready.exists() || ended.is_some()
        });
        let text = fs::read_to_string(&ready).unwrap_or_default();
        // It names an endpoint and a token.
        fs::remove_file(&ready).unwrap_or(());
        let mut lines = text.lines().map(ToOwned::to_owned);
        let id = lines.next().and_then(|id| id.parse().ok());
        match (id, ended) {
            (Some(id), None) => {
                let endpoint = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
                Ok(Session { child, said, id, endpoint })
            }
            (_, Some(status)) => {
                Err(complaint(&fs::read_to_string(&said).unwrap_or_default(), status))
            }
            (None, None) => {
                end(&mut child);
                Err(if arrived {
                    "the session has no id".into()
                } else {
                    "no prompt in two minutes".into()
                })
            }
        }
    }

    /// Waits until the responder's commands have run; returns the last one's exit code.
    ///
    /// # Errors
    /// When they do not end.
    pub fn works(&self) -> Result<i32, Wrong> {
        let done = self.place.join("done");
        let mut code = None;
        within(PATIENCE, || {
            code = fs::read_to_string(&done).ok().and_then(|text| text.trim().parse().ok());
            code.is_some()
        });
        code.ok_or_else(|| "its commands did not end in two minutes".into())
    }

    fn shell(&self, circumstances: &Circumstances) -> Command {
        let mut shell = Command::new(&self.program);
        let named = circumstances.config.as_ref().or(self.world.environment.config.as_ref());
        if let Some(config) = named {
            shell.env("BG_SHELL_CONFIG", config);
        }
        shell.envs(circumstances.environment.iter().map(|(name, value)| (*name, value)));
        shell
    }
}

impl Drop for Responder<'_> {
    fn drop(&mut self) {
        // What stays holds no secret.
        fs::remove_dir_all(&self.place).unwrap_or(());
    }
}

impl Session {
    /// Presses return, which ends the script, and waits for bg-shell.
    ///
    /// # Errors
    /// When it ends with another code.
    pub fn leave(&mut self, code: i32) -> Result<String, Wrong> {
        if let Some(stdin) = self.child.stdin.as_mut() {
            let unread = |e| Wrong::Saw(format!("nobody reads the responder: {e}"));
            stdin.write_all(b"\n").map_err(unread)?;
        }
        self.ends(code)
    }

    /// Waits for bg-shell to end.
    ///
    /// # Errors
    /// When it does not, or with another code.
    pub fn ends(&mut self, code: i32) -> Result<String, Wrong> {
        let mut ended = None;
        within(PATIENCE, || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some()
        });
        match ended {
            Some(status) if status.code() == Some(code) => Ok(format!("it ended with {code}")),
            Some(status) => {
                Err(complaint(&fs::read_to_string(&self.said).unwrap_or_default(), status))
            }
            None => Err("it did not end in two minutes".into()),
        }
    }

    /// Kills the recorder, as nothing could catch it.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill(&mut self) -> Result<(), Wrong> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until no process of the session lives.
    ///
    /// # Errors
    /// When some do.
    pub fn has_no_process(&self) -> Result<String, Wrong> {
        let mut left = 0;
        let gone = within(GONE_PATIENCE, || {
            left = processes(self.id);
            left == 0
        });
        if gone {
            Ok("no process of the session lives".into())
        } else {
            Err(Wrong::Saw(format!("{left} processes live on")))
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a session that nobody needs any more, properly if it can be.
fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if child.try_wait().ok().flatten().is_some() {
        return;
    }
    if let Some(pid) = pid {
        // One that is gone needs no signal.
        kill_process(pid, Signal::TERM).unwrap_or(());
    }
    if !within(PATIENCE, || child.try_wait().ok().flatten().is_some()) {
        child.kill().and_then(|()| child.wait()).map(drop).unwrap_or(());
    }
}

/// Counts the processes that were started in a session.
fn processes(session: SessionId) -> usize {
    let entry = format!("{SESSION_VARIABLE}={session}");
    let all = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let ours = all.filter(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    });
    ours.count()
}

/// Returns the first error that bg-shell told with its first hint, or how it ended.
fn complaint(said: &str, status: ExitStatus) -> Wrong {
    let hint = said.lines().find_map(|line| line.strip_prefix("bg-shell: hint: "));
    let error = said.lines().find_map(|line| line.strip_prefix("bg-shell: error: "));
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let told =
        error.or(last).map_or_else(|| format!("bg-shell ended with {status}"), ToOwned::to_owned);
    Wrong::Saw(hint.map_or_else(|| told.clone(), |hint| format!("{told} ({hint})")))
}

fn not_run(e: io::Error) -> Wrong {
    Wrong::Saw(format!("cannot run bg-shell: {e}"))
}

fn within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if began.elapsed() > patience {
            return false;
        }
        thread::sleep(PERIOD);
    }
}

const PATIENCE: Duration = Duration::from_secs(120);
const GONE_PATIENCE: Duration = Duration::from_secs(10);
const PERIOD: Duration = Duration::from_millis(5);

/// What the responder does. The place says when, and what nobody may read on the tape.
/// What the responder shows on the screen, where the drill is about that.
pub const SHOWN_VARIABLE: &str = "BG_SHELL_DRILL";
const SCRIPT: &str = r#"place=$1
shift
umask 077
printf '%s\n%s\n%s\n' "$BG_SHELL_SESSION" "$AWS_CONTAINER_CREDENTIALS_FULL_URI" \
    "$AWS_CONTAINER_AUTHORIZATION_TOKEN" >"$place/ready.new"
mv "$place/ready.new" "$place/ready"
id
uname -a
date -u
ls /
[ -z "$BG_SHELL_DRILL" ] || echo "found in a file: $BG_SHELL_DRILL"
[ $# -eq 0 ] || "$@"
echo $? >"$place/done.new"
mv "$place/done.new" "$place/done"
IFS= read -r line"#;
