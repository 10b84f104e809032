//! One session: genesis, keeper, relay, seal, summary.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bg_recorder::cause::chain;
use bg_recorder::chain::Digest;
use bg_recorder::clock::{Clock, Stamp, SystemClock};
use bg_recorder::codec::Header;
use bg_recorder::event::{Event, Notice};
use bg_recorder::genesis::Limits;
use bg_recorder::recorder::{RecordError, Recorder, Setup};
use bg_recorder::session::SessionId;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::termios::Winsize;
use serde_json::{Map, Value, json};

use crate::cli::{Environment, SESSION_VARIABLE};
use crate::contain::{Contained, Containment, Ended, Ending};
use crate::deadline::Deadline;
use crate::failure::{FAILED, Failure, NOT_EXECUTABLE, NOT_FOUND, TIMED_OUT};
use crate::open::Plan;
use crate::pty::Pty;
use crate::relay::{Cause, Outcome, Relay};
use crate::scribe::Scribe;
use crate::signals::Signals;
use crate::summary::{self, Summary};
use crate::tap::Tap;
use crate::terminal::{self, RawMode, Screen};
use crate::user::User;
use crate::world::World;

/// Runs a session to its seal; returns the exit code of its leader.
///
/// # Errors
/// When the session could not be begun, or its tape not be closed.
pub fn run(plan: &Plan, world: &World) -> Result<ExitCode, Failure> {
    let (environment, evidence) = (&world.environment, world.evidence());
    let keys = world.keys()?;
    let trusted = keys.ring().sign.clone();
    let digest = thread::spawn(digest_of_this_program);
    let (session, size, clock) = (SessionId::mint(), terminal::size(), Arc::new(SystemClock));
    let system = |what: &'static str| move |e| Failure::new(what).because(e);
    let signals = Signals::take().map_err(system("cannot take signals over"))?;
    let screen = Screen::open().map_err(system("cannot use standard output"))?;
    let (pty, side) = Pty::open(size, terminal::settings().as_ref()).map_err(system("cannot open a pty"))?;
    let mut contained = Contained::prepare(&side, &plan.command, (SESSION_VARIABLE, &session.to_string()))
        .map_err(system("cannot contain the session"))?;
    drop(side);
    let recorder = Recorder::begin(Setup {
        session,
        about: about(plan, environment, size, contained.by, digest.join().ok().flatten()),
        cast: header(plan, environment, size),
        host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        state: evidence.state().to_owned(),
        spool: evidence.spool(),
        store: evidence.store(),
        keys,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        limits: Limits::default(),
    })
    .map_err(|e| Failure::new("cannot begin the recording").because(e).hint(STATE_HINT))?;
    let deadline = Deadline::new(clock.boot_us(), plan.max_duration);
    let ends = Stamp(
        clock.wall_us().saturating_add(u64::try_from(plan.max_duration.as_micros()).unwrap_or(u64::MAX)),
    );
    summary::banner(session, plan, ends, contained.by);
    let began = Instant::now();
    let raw = RawMode::enter().map_err(system("cannot make the terminal raw"))?;
    // What is typed at secret prompts and the signing key pass through this process's memory: no core, no ptrace.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|e| system("cannot protect the recorder")(e.into()))?;
    contained.start().map_err(system("cannot start the session"))?;
    let (created, watch) = (recorder.created(), recorder.watch());
    let mut scribe = Scribe::start(recorder).map_err(system("cannot start the sealing thread"))?;
    let relay = Relay {
        scribe: &mut scribe,
        watch,
        clock: &*clock,
        pty,
        contained,
        screen,
        signals,
        deadline,
        secrets: plan.secrets,
        tap: Tap::default(),
    };
    let outcome = relay.run();
    drop(raw);
    let recorder = scribe.stop().ok_or_else(|| Failure::new("the recorder failed").hint(RECOVER_HINT))?;
    let closed = close(recorder, &outcome);
    let summary = Summary { session, created, trusted, lasted: began.elapsed(), store: evidence.store() };
    summary.tell(&outcome, closed.as_ref());
    finish(&outcome, closed)
}

/// Ends the tape. After a failure of the recorder, the reserve makes room to say so and to seal.
fn close(mut recorder: Recorder, outcome: &Outcome) -> Result<bg_recorder::recorder::Closed, RecordError> {
    if let Cause::Recorder(e) = &outcome.cause {
        recorder.release_reserve()?;
        recorder.declare_gap(outcome.unreleased, &chain(e))?;
    }
    if let Some(Ended { killed, .. }) = outcome.ended
        && killed > 0
    {
        recorder.accept(Event::Notice(&Notice::Killed { processes: killed }))?;
    }
    recorder.accept(Event::Exit(status(outcome).into()))?;
    recorder.finish(ending(outcome), CLOSE_PATIENCE)
}

fn finish(
    outcome: &Outcome,
    closed: Result<bg_recorder::recorder::Closed, RecordError>,
) -> Result<ExitCode, Failure> {
    match &outcome.cause {
        Cause::Recorder(e) => {
            return Err(Failure::new(format!("the session was ended: {}", chain(e))).hint(
                "a session never goes on unrecorded; free the disk or reach the store, then bg-shell recover",
            ));
        }
        Cause::System(e) => return Err(Failure::new(format!("the session was ended: {e}"))),
        Cause::Deadline => {
            return Err(Failure::new("the session's time was over")
                .hint("open another one, or a longer one with --max-duration")
                .code(TIMED_OUT));
        }
        _ => {}
    }
    if let Some(Ended { how: Ending::NotStarted(_, why), .. }) = &outcome.ended {
        return Err(Failure::new(format!("cannot run the command: {why}"))
            .hint("see --shell, and -- CMD")
            .code(status(outcome)));
    }
    match closed {
        Ok(_) => Ok(ExitCode::from(status(outcome))),
        Err(e) => Err(Failure::new("cannot close the tape").because(e).hint(RECOVER_HINT)),
    }
}

/// Returns the exit code, as shells have it: 128 + n for signal n.
fn status(outcome: &Outcome) -> u8 {
    match &outcome.ended {
        Some(Ended { how: Ending::Exited(code), .. }) => u8::try_from(*code).unwrap_or(FAILED),
        Some(Ended { how: Ending::Signalled(signal), .. }) => {
            u8::try_from(*signal).ok().and_then(|n| n.checked_add(128)).unwrap_or(FAILED)
        }
        Some(Ended { how: Ending::NotStarted(std::io::ErrorKind::NotFound, _), .. }) => NOT_FOUND,
        Some(Ended { how: Ending::NotStarted(..), .. }) => NOT_EXECUTABLE,
        Some(Ended { how: Ending::KeeperLost, .. }) | None => 128 + 9,
    }
}

fn ending(outcome: &Outcome) -> Map<String, Value> {
    let (ended, detail) = match &outcome.cause {
        Cause::Exit => ("exit", None),
        Cause::Deadline => ("deadline", None),
        Cause::HangUp => ("hangup", None),
        Cause::Signal(name) => ("signal", Some((*name).to_owned())),
        Cause::Recorder(e) => ("recorder-failure", Some(chain(e))),
        Cause::System(e) => ("system-failure", Some(e.to_string())),
    };
    let signal = match &outcome.ended {
        Some(Ended { how: Ending::Signalled(signal), .. }) => Some(*signal),
        _ => None,
    };
    let killed = outcome.ended.as_ref().map_or(0, |ended| ended.killed);
    let revocation = json!({"custody": "none", "why": "practice: there were no credentials"});
    let about = json!({"ended": ended, "detail": detail, "exit": status(outcome), "signal": signal,
        "killed": killed, "revocation": revocation});
    object(about)
}

fn digest_of_this_program() -> Option<Digest> {
    std::fs::read("/proc/self/exe").map(|bytes| Digest::of(&bytes)).ok()
}

fn about(
    plan: &Plan,
    environment: &Environment,
    size: Winsize,
    by: Containment,
    digest: Option<Digest>,
) -> Map<String, Value> {
    let user = User::current();
    let text = |arg: &std::ffi::OsString| arg.to_string_lossy().into_owned();
    let command: Vec<String> = plan.command.iter().map(text).collect();
    object(json!({
        "user": user.name, "uid": user.uid,
        "reason": plan.reason, "incident": plan.incident, "role": plan.role,
        "approvals": [], "custody": "none",
        "secrets": plan.secrets, "max_duration_s": plan.max_duration.as_secs(),
        "command": command, "parent": plan.parent, "containment": by,
        "cols": size.ws_col, "rows": size.ws_row, "term": environment.term,
        "recorder": {"name": "bg-shell", "version": env!("CARGO_PKG_VERSION"), "digest": digest},
    }))
}

fn header(plan: &Plan, environment: &Environment, size: Winsize) -> Header {
    let env = json!({"TERM": environment.term, "SHELL": environment.shell});
    Header {
        version: 2,
        width: size.ws_col,
        height: size.ws_row,
        timestamp: 0,
        title: plan.reason.clone(),
        env,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

const STATE_HINT: &str =
    "the practice world needs a writable $XDG_STATE_HOME/bg-shell (default ~/.local/state/bg-shell)";
const RECOVER_HINT: &str = "bg-shell recover closes its tape later";
/// How long closing waits for the store.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);
