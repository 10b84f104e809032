//! One session: genesis, keeper, relay, seal, summary.

pub mod plan;
pub mod summary;

mod command;
mod ending;
mod genesis;
mod stage;
mod term;

use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use bg_cli::say::say;
use bg_recorder::record::Recorder;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_relay::deadline::Deadline;
use bg_relay::ladder::{Ladder, Policy};
use bg_relay::terminal::{Medium, Terminal};
use bg_relay::{Cause, Outcome};
use rustix::termios::Winsize;

use self::ending::{close, finish, unsealed};
use self::genesis::{about, begin, digest_of_this_program, header};
use self::stage::Stage;
use self::term::Term;
use crate::access::Access;
use crate::custody::private::Private;
use crate::environment::{ENDS_VARIABLE, Environment, ROLE_VARIABLE};
use crate::failure::Failure;
use crate::herald::Herald;
use crate::os::cgroup::NAME;
use crate::os::contain::{Contained, Sides};
use crate::os::inlet::Inlet;
use crate::os::pty::Pty;
use crate::os::raw;
use crate::os::signals::Signals;
use crate::os::terminal;
use crate::os::user::User;
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
    let mut signals = Signals::take().map_err(system("cannot take signals over"))?;
    let prepare = |grant| Access::prepare(grant, plan.max_duration, world, &mut signals);
    let mut access = grant.map(prepare).transpose()?;
    let terminal = terminal::own().map_err(system("cannot use standard output"))?;
    let (pty, inlet, sides) = sides(size, &terminal).map_err(system("cannot open a pty"))?;
    let bare = access.is_none().then(|| Private::make_or_name(world.evidence().state(), session));
    let (ends, deadline) = limit(plan, access.as_ref(), world);
    let variables = variables(session, environment, access.as_ref(), bare.as_ref());
    let contained = contain(session, plan, ends, environment, variables, sides)?;
    let digest = digest.and_then(|digest| digest.join().ok()?);
    let genesis = about(plan, environment, size, &terminal, contained.by, digest);
    let reason =
        access.as_ref().map(|access| access.claim().reason.clone()).or_else(|| plan.reason.clone());
    let about = genesis.into_iter().chain(access.iter().flat_map(Access::about)).collect();
    let cast = header(reason, &plan.command, environment, size);
    let mut recorder = begin(session, about, cast, keys, plan, world)?;
    let created = recorder.created();
    summary::banner(world, session, plan, ends, contained.by, terminal.input, access.as_ref());
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
        clock: &*world.clock,
        pty,
        inlet,
        contained,
        terminal,
        signals,
        deadline,
        ladder,
        letterbox,
        term: Term::new(world, ends, access.as_ref().and_then(Access::renewal)),
        secrets: plan.secrets,
        title: access.as_ref().map(Access::claim).map(|claim| summary::title(claim, ends)),
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
    let summary = Summary::of(world, session, created, trusted, began.elapsed());
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

/// Makes what lies between this process and the session: a pty, and a pipe where standard input is no terminal.
fn sides(size: Winsize, terminal: &Terminal) -> io::Result<(Pty, Option<Inlet>, Sides)> {
    let (pty, side) = Pty::open(size, raw::settings(), terminal.input, terminal.output)?;
    let stream = terminal.input == Medium::Stream;
    let (inlet, theirs) = stream.then(Inlet::open).transpose()?.unzip();
    Ok((pty, inlet, Sides { terminal: side, inlet: theirs }))
}

/// Gets the session's processes a keeper, on their sides.
fn contain(
    session: SessionId,
    plan: &Plan,
    ends: Stamp,
    environment: &Environment,
    mut variables: Variables,
    sides: Sides,
) -> Result<Contained, Failure> {
    variables.set(ENDS_VARIABLE, ends.seconds());
    variables.set(ROLE_VARIABLE, &plan.role);
    variables
        .name_terminal(&environment.terminals, &sides.terminal)
        .map_err(system("cannot name the session's terminal"))?;
    let name = format!("{NAME}{session}");
    Contained::prepare(plan.containment, &name, &sides, &plan.command, &variables).map_err(|e| {
        let failure = Failure::new(match plan.containment {
            Some(by) => format!("cannot contain the session by a {}", by.word()),
            None => "cannot contain the session".to_owned(),
        });
        failure.because(e).hint(CONTAINMENT_HINT)
    })
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
        summary::revocation(&closed.revocation, summary.clock.now());
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
        None => Err(unsealed(&outcome.cause)),
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

/// Returns when a session ends, on the wall and on the boot clock. It is moved as far as the role's maximum.
fn limit(plan: &Plan, access: Option<&Access<'_>>, world: &World) -> (Stamp, Deadline) {
    let now_us = world.clock.wall_us();
    let whole_us = u64::try_from(plan.max_duration.as_micros()).unwrap_or(u64::MAX);
    let ends_us =
        access.map_or(now_us.saturating_add(whole_us), |access| access.claim().deadline.0);
    let left = Duration::from_micros(ends_us.saturating_sub(now_us));
    let max = access.map_or(world.config.practice.max_duration, |access| {
        Stamp(now_us).until(access.claim().latest)
    });
    (Stamp(ends_us), Deadline::movable(world.clock.boot_us(), left, max))
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

fn system(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |e| Failure::new(what).because(e)
}

const CONTAINMENT_HINT: &str =
    "containment in the role's section, or in [practice], says which is demanded";
