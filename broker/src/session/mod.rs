//! One session: genesis, keeper, relay, seal, summary.

pub mod plan;
pub mod summary;

mod command;
mod ending;

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use bg_cli::say::say;
use bg_recorder::chain::Digest;
use bg_recorder::clock::{Clock, SystemClock};
use bg_recorder::codec::Header;
use bg_recorder::facts::case::members;
use bg_recorder::genesis::Limits;
use bg_recorder::keys::KeyService;
use bg_recorder::record::{Begins, RecordError, Recorder, Setup};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_relay::deadline::Deadline;
use bg_relay::ladder::{Ladder, Policy};
use bg_relay::scribe::Scribe;
use bg_relay::terminal::Terminal;
use bg_relay::{Cause, Outcome, Relay, Secrets};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::termios::Winsize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use self::command::Command;
use self::ending::{RECOVER_HINT, close, finish};
use crate::access::Access;
use crate::custody::private::Private;
use crate::custody::switch::Switch;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::herald::Herald;
use crate::os::cgroup::NAME;
use crate::os::contain::{Contained, Containment};
use crate::os::kernel::System;
use crate::os::pty::Pty;
use crate::os::raw::{self, RawMode};
use crate::os::signals::Signals;
use crate::os::terminal;
use crate::os::user::{self, User};
use crate::os::variables::Variables;
use crate::outage::letterbox::Letterbox;
use crate::request::grant::Grant;
use crate::session::plan::Plan;
use crate::session::summary::Summary;
use crate::world::World;

/// Runs a session to its seal; returns the exit code of its leader.
///
/// # Errors
/// When the session could not be begun, or its tape not be closed.
pub fn run(plan: &Plan, world: &World) -> Result<ExitCode, Failure> {
    let environment = &world.environment;
    let evidence = world.evidence();
    let grant =
        plan.wish.as_ref().map(|wish| Grant::obtain(world, &plan.role, wish)).transpose()?;
    let keys = world.keys_to_begin(&plan.outage)?;
    let trusted = keys.ring().sign.clone();
    // Without a thread the genesis names no digest.
    let digest = thread::Builder::new().spawn(digest_of_this_program).ok();
    let session = grant.as_ref().map_or_else(SessionId::mint, Grant::session);
    let size = terminal::size();
    let clock = SystemClock;
    let mut signals = Signals::take().map_err(system("cannot take signals over"))?;
    let prepare = |grant| Access::prepare(grant, plan.max_duration, world, &mut signals);
    let mut access = grant.map(prepare).transpose()?;
    let terminal = terminal::own().map_err(system("cannot use standard output"))?;
    let (pty, side) =
        Pty::open(size, raw::settings().as_ref()).map_err(system("cannot open a pty"))?;
    let bare = access.is_none().then(|| Private::make_or_name(world.evidence().state(), session));
    let variables = variables(session, environment, access.as_ref(), bare.as_ref());
    let contained = contain(session, plan, environment, variables, side)?;
    let digest = digest.and_then(|digest| digest.join().ok()?);
    let genesis = about(plan, environment, size, contained.by, digest);
    let reason =
        access.as_ref().map(|access| access.claim().reason.clone()).or_else(|| plan.reason.clone());
    let about = genesis.into_iter().chain(access.iter().flat_map(Access::about)).collect();
    let cast = header(reason, &plan.command, environment, size);
    let mut recorder = begin(session, about, cast, keys, plan, world)?;
    let (ends, deadline) = limit(plan, access.as_ref(), &clock);
    let created = recorder.created();
    summary::banner(world, session, plan, ends, contained.by, access.as_ref());
    let ladder = ladder(&recorder, plan);
    let began = Instant::now();
    let opened = match &mut access {
        None => Ok(()),
        Some(access) => beside(&mut recorder, || access.activate(&mut signals)),
    };
    let switch = access.as_ref().map(Access::switch).unwrap_or_default();
    let herald = Herald::new(world, access.as_ref().map(Access::claim));
    let claim = access.as_ref().map(Access::claim);
    let user = User::current().name;
    let letterbox = Letterbox::new(evidence.state(), session, plan.outage.extensions, claim, &user);
    let stage = Stage {
        clock: &clock,
        pty,
        contained,
        terminal,
        signals,
        deadline,
        ladder,
        letterbox,
        secrets: plan.secrets,
        switch,
        herald: &herald,
    };
    let (recorder, outcome) = match &opened {
        Ok(()) => {
            herald.opened();
            stage.perform(recorder)
        }
        Err(failure) => (Some(recorder), Outcome::of(Cause::NoAccess(failure.to_string()))),
    };
    let summary =
        Summary { session, created, trusted, lasted: began.elapsed(), store: evidence.store() };
    let ended = end(recorder, outcome, access, &summary, &herald);
    opened.and(ended)
}

/// Returns what the session's processes find in their environment. Without an access, there are no AWS credentials.
fn variables(
    session: SessionId,
    environment: &Environment,
    access: Option<&Access<'_>>,
    bare: Option<&Private>,
) -> Variables {
    match (access, bare) {
        (Some(access), _) => access.variables(),
        (None, Some(bare)) => bare.variables(session, environment),
        (None, None) => Variables::of(session),
    }
}

/// Gets the session's processes a keeper, on their side of the pty.
fn contain(
    session: SessionId,
    plan: &Plan,
    environment: &Environment,
    mut variables: Variables,
    side: OwnedFd,
) -> Result<Contained, Failure> {
    variables
        .name_terminal(&environment.terminals, &side)
        .map_err(system("cannot name the session's terminal"))?;
    let name = format!("{NAME}{session}");
    Contained::prepare(plan.containment, &name, &side, &plan.command, &variables).map_err(|e| {
        let failure = Failure::new(match plan.containment {
            Some(by) => format!("cannot contain the session by a {}", by.word()),
            None => "cannot contain the session".to_owned(),
        });
        failure.because(e).hint(CONTAINMENT_HINT)
    })
}

/// Begins the tape: from here on what happens is recorded.
fn begin(
    session: SessionId,
    about: Map<String, Value>,
    cast: Header,
    keys: Box<dyn KeyService>,
    plan: &Plan,
    world: &World,
) -> Result<Recorder, Failure> {
    let evidence = world.evidence();
    let setup = Setup {
        session,
        about,
        cast,
        host_name: user::host(),
        state: evidence.state().to_owned(),
        spool: evidence.spool(),
        store: evidence.store(),
        keys,
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
        begins: if plan.outage.start_offline { Begins::Spooled } else { Begins::Stored },
    };
    Recorder::begin(setup).map_err(|e| not_begun(world, e))
}

/// Ends everything, in this order: the access, the tape, and only then what can wait. The processes are gone already.
fn end(
    mut recorder: Option<Recorder>,
    outcome: Outcome,
    access: Option<Access<'_>>,
    summary: &Summary,
    herald: &Herald<'_>,
) -> Result<ExitCode, Failure> {
    let closed = access.map(|access| match &mut recorder {
        Some(recorder) => beside(recorder, || access.close()),
        None => access.close(),
    });
    if let Some(closed) = &closed {
        summary::revocation(&closed.revocation);
    }
    let sealed = recorder.map(|recorder| close(recorder, &outcome, closed.as_ref()));
    if let Some(sealed) = &sealed {
        summary.tell(&outcome, sealed.as_ref());
    }
    if let Some(closed) = &closed {
        herald.closed(&summary::ended(&outcome.cause), &closed.revocation, &outcome.seen);
    }
    match sealed {
        Some(sealed) => finish(outcome, sealed),
        None => Err(Failure::new("the recorder failed").hint(RECOVER_HINT)),
    }
}

/// Returns the ladder that the session stands on; says where its foot is.
fn ladder(recorder: &Recorder, plan: &Plan) -> Ladder {
    let outage = &plan.outage;
    let policy = Policy {
        countdown: outage.countdown,
        spool_max: outage.spool_max,
        ask_at_percent: outage.ask_at,
    };
    if recorder.watch().stored() > 0 {
        return Ladder::new(policy);
    }
    let left = humantime::format_duration(policy.countdown);
    say!("bg-shell: warning: begun WITHOUT its evidence store, which has {left} to come back");
    Ladder::offline(policy)
}

/// Returns when a session ends, on the wall and on the boot clock.
fn limit(plan: &Plan, access: Option<&Access<'_>>, clock: &dyn Clock) -> (Stamp, Deadline) {
    let now_us = clock.wall_us();
    let whole_us = u64::try_from(plan.max_duration.as_micros()).unwrap_or(u64::MAX);
    let ends_us =
        access.map_or(now_us.saturating_add(whole_us), |access| access.claim().deadline.0);
    let left = Duration::from_micros(ends_us.saturating_sub(now_us));
    (Stamp(ends_us), Deadline::new(clock.boot_us(), left))
}

/// Everything of a session but its recorder.
struct Stage<'a> {
    clock: &'a dyn Clock,
    pty: Pty,
    contained: Contained,
    terminal: Terminal,
    signals: Signals,
    deadline: Deadline,
    ladder: Ladder,
    letterbox: Letterbox,
    secrets: Secrets,
    switch: Switch,
    herald: &'a Herald<'a>,
}

impl Stage<'_> {
    /// Runs the session; gives the recorder back, unless that has failed.
    fn perform(mut self, recorder: Recorder) -> (Option<Recorder>, Outcome) {
        let raw = match self.begin() {
            Ok(raw) => raw,
            Err(cause) => return (Some(recorder), Outcome::of(cause)),
        };
        let store = recorder.watch();
        let keys = recorder.key_watch();
        let mut scribe = match Scribe::start(recorder) {
            Ok(scribe) => scribe,
            Err(e) => return (None, Outcome::of(cannot("start the sealing thread", e))),
        };
        let (tape, lane) = scribe.lend();
        let relay = Relay {
            kernel: &System,
            clock: self.clock,
            tape,
            scribe: lane,
            store: &store,
            keys: &keys,
            terminal: self.terminal,
            pty: Box::new(self.pty),
            contained: Box::new(self.contained),
            signals: Box::new(self.signals),
            deadline: self.deadline,
            ladder: self.ladder,
            letterbox: Box::new(self.letterbox),
            herald: self.herald,
            switch: &self.switch,
            secrets: self.secrets,
        };
        let outcome = relay.run();
        drop(raw);
        (scribe.stop(), outcome)
    }

    fn begin(&mut self) -> Result<Option<RawMode>, Cause> {
        let raw = RawMode::enter().map_err(|e| cannot("make the terminal raw", e))?;
        // What is typed at secret prompts and the signing key pass through this process's memory: no core, no ptrace.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|e| cannot("protect the recorder", e.into()))?;
        self.contained.start().map_err(|e| cannot("start the session", e))?;
        Ok(raw)
    }
}

/// Does something that takes its time, while the tape keeps its rhythm: a heartbeat that is missing is a finding.
/// Should the recorder fail meanwhile, whoever uses it next is told.
fn beside<T>(recorder: &mut Recorder, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (done, wait) = channel::<()>();
        let beat = move || {
            let mut goes_on = true;
            while goes_on {
                let pause = Duration::from_millis(recorder.next_tick_ms());
                goes_on = wait.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
                    && recorder.tick().is_ok();
            }
        };
        // Without a thread the tape has a pause.
        let beating = thread::Builder::new().name("heartbeat".into()).spawn_scoped(scope, beat);
        let result = work();
        drop((done, beating));
        result
    })
}

/// What AWS refused has a hint of its own.
fn not_begun(world: &World, e: RecordError) -> Failure {
    let hint = match &e {
        _ if !world.is_practice() => EVIDENCE_HINT,
        RecordError::Unstored(_) | RecordError::Store(_) => OFFLINE_HINT,
        _ => STATE_HINT,
    };
    Failure::new("cannot begin the recording").because(e).hint(hint)
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |e| Failure::new(what).because(e)
}

fn cannot(what: &str, e: io::Error) -> Cause {
    Cause::System(io::Error::new(e.kind(), format!("cannot {what}: {e}")))
}

/// Reads it piece by piece: a program of 40 MB must not be in memory a second time.
fn digest_of_this_program() -> Option<Digest> {
    let mut program = std::fs::File::open("/proc/self/exe").ok()?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 65_536];
    loop {
        match program.read(&mut piece).ok()? {
            0 => return Some(Digest::from(<[u8; 32]>::from(hash.finalize()))),
            len => hash.update(piece.get(..len)?),
        }
    }
}

fn about(
    plan: &Plan,
    environment: &Environment,
    size: Winsize,
    by: Containment,
    digest: Option<Digest>,
) -> Map<String, Value> {
    let user = User::current();
    let command = Command(&plan.command);
    members(json!({
        "user": user.name, "uid": user.uid,
        "reason": plan.reason, "incident": plan.incident, "role": plan.role,
        "approvals": [], "custody": "none",
        "secrets": plan.secrets, "outage": plan.outage, "max_duration_s": plan.max_duration.as_secs(),
        "program": command.program(), "command_sha256": command.digest(), "parent": plan.parent, "containment": by,
        "cols": size.ws_col, "rows": size.ws_row, "term": environment.term,
        "recorder": {"name": "bg-shell", "version": env!("CARGO_PKG_VERSION"), "digest": digest},
    }))
}

fn header(
    reason: Option<String>,
    command: &[OsString],
    environment: &Environment,
    size: Winsize,
) -> Header {
    let env = json!({"TERM": environment.term, "SHELL": environment.shell});
    Header {
        version: 2,
        width: size.ws_col,
        height: size.ws_row,
        timestamp: 0,
        title: reason,
        command: Some(Command(command).quoted()),
        env,
    }
}

const CONTAINMENT_HINT: &str =
    "containment in the role's section, or in [practice], says which is demanded";
const OFFLINE_HINT: &str = "reach the store; [practice.outage] start_offline = true lets a practice session begin without it";
const STATE_HINT: &str = "the practice world needs a writable $XDG_STATE_HOME/bg-shell (default ~/.local/state/bg-shell)";
const EVIDENCE_HINT: &str =
    "see [evidence]; bg-shell doctor checks the store, the keys and the spool";
