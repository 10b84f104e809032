//! `bg-shell revoke`: the kill switch, from anywhere.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use bg_aws::fault::CallError;
use bg_cli::say::say;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::{Case, CaseError, OPEN, REVOKE};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::keys::KeyService;
use bg_recorder::life::Life;
use bg_recorder::session::SessionId;
use clap::Args;
use serde_json::json;

use crate::account::deny_policy::DenyPolicy;
use crate::account::iam::Iam;
use crate::closeout::Closing;
use crate::closeout::abandoned::{self, Gone};
use crate::facts::docket::Docket;
use crate::failure::{Failure, PENDING};
use crate::herald;
use crate::os::user::author;
use crate::session::summary;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The session's id, or the beginning of it
    #[arg(value_name = "SESSION")]
    session: String,
    /// Why; goes into the evidence and onto the responder's screen
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Deny it on this role, by its whole id, although evidence or keys cannot be reached
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// How long to wait for the proof
    #[arg(long, value_name = "DURATION", default_value = "90s", value_parser = bg_cli::duration::duration)]
    wait: Duration,
}

/// Ends a session and its access.
///
/// # Errors
/// When it cannot be done.
pub fn revoke(args: &RevokeArgs, world: &World) -> Result<ExitCode, Failure> {
    if let Some(role) = &args.role {
        return blind(args, role, world);
    }
    let blind = |failure: Failure| failure.hint(BLIND_HINT);
    let keys = world.keys().map_err(blind)?;
    let session = Docket::of(&*world.store(), world.is_practice(), world.clock.now())
        .map_err(blind)?
        .find(&args.session)?;
    ask(&Case::new(session, world.store()), &*keys, &args.reason)?;
    let Some(closing) = abandoned::closing(world, session, &*keys, Gone::Silent)? else {
        say!("bg-shell: session {session} has no access; should it get one, it is ended at once");
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(revocation) = closing.proved() {
        return Ok(told(world, session, &revocation));
    }
    deny(&closing);
    wait(&closing, args.wait)?;
    Ok(match closing.proved() {
        Some(revocation) => told(world, session, &revocation),
        None if is_live(&closing)? => {
            let revocation = closing.pend(RUNS);
            let opened = closing.case.trusted(&*keys, OPEN).ok().flatten();
            let why = revocation.as_of(world.clock.now());
            herald::pending(world, session, opened.as_ref(), (&closing.name, &why));
            told(world, session, &revocation)
        }
        None => {
            let revocation = closing.run(None);
            herald::late(world, session, &revocation);
            told(world, session, &revocation)
        }
    })
}

/// Denies with nothing but IAM: no fact tells the role, so it is named. What else can be done is tried.
fn blind(args: &RevokeArgs, name: &str, world: &World) -> Result<ExitCode, Failure> {
    let whole =
        |e| Failure::new(format!("cannot deny {:?} without looking", args.session)).because(e);
    let session: SessionId = args.session.parse().map_err(whole)?;
    let role = world.role(name)?;
    let iam = Iam::new(&world.edge(role.profiles.revoker.as_deref())?);
    let policy = DenyPolicy { role: role.role_name(), session };
    let not_denied = |e: CallError| {
        let hint = e.hint();
        let failure = Failure::new("cannot deny the session").because(e);
        hint.into_iter().fold(failure, Failure::hint)
    };
    policy.put(&iam).map_err(not_denied)?;
    say!("bg-shell: denied by the inline policy {} on {}", policy.name(), role.role_name());
    let asked =
        world.keys().and_then(|keys| ask(&Case::new(session, world.store()), &*keys, &args.reason));
    if let Err(failure) = asked {
        say!("bg-shell: warning: the session goes on, without access: {failure}");
    }
    let why =
        format!("denied by {}, and nothing is proved: the evidence was not asked", policy.name());
    herald::pending(world, session, None, (name, &why));
    Ok(pending(
        session,
        "nothing is proved; run bg-shell reconcile when the evidence is there again",
    ))
}

/// The fact first: the running session polls it, and whatever fails from here on, it stays.
fn ask(case: &Case, keys: &dyn KeyService, reason: &str) -> Result<(), Failure> {
    match case.put(keys, &author(), REVOKE, json!({"reason": reason})) {
        Ok(_) => Ok(()),
        Err(CaseError::Taken(_)) => {
            say!("bg-shell: session {} was told to end before", case.session);
            Ok(())
        }
        Err(e) => Err(Failure::new("cannot tell the session to end").because(e).hint(BLIND_HINT)),
    }
}

/// Denies at once: a session that cannot read the evidence store, or was tampered with, is not asked.
fn deny(closing: &Closing<'_>) {
    let denied = match closing.deny() {
        Ok(denied) => denied,
        Err(why) => {
            return summary::revocation(&closing.pend(&why.to_string()), closing.world.clock.now());
        }
    };
    let id = denied.request_id.map_or_else(String::new, |id| format!(" (request id {id})"));
    say!("bg-shell: denied by the inline policy {}{id}", denied.policy);
    match closing.stands() {
        Ok(true) => say!("bg-shell: the role has it; waiting for the proof"),
        Ok(false) => say!("bg-shell: warning: the role does not show it yet"),
        Err(failure) => say!("bg-shell: warning: {failure}"),
    }
}

fn told(world: &World, session: SessionId, revocation: &Revocation) -> ExitCode {
    summary::revocation(revocation, world.clock.now());
    match revocation {
        Revocation::Pending { .. } => pending(session, "its access is not proved closed"),
        _ => ExitCode::SUCCESS,
    }
}

fn pending(session: SessionId, why: &str) -> ExitCode {
    say!("bg-shell: session {session}: {why}");
    ExitCode::from(PENDING)
}

fn is_live(closing: &Closing<'_>) -> Result<bool, Failure> {
    let life = Life::of(&*closing.world.store(), closing.case.session, SystemClock.now());
    let life = life.map_err(|e| Failure::new("cannot look at the session").because(e))?;
    Ok(matches!(life, Life::Live { .. }))
}

/// Waits for the proof, or the end of the session without one. Its tape, which may be long, is listed only every few
/// seconds.
fn wait(closing: &Closing<'_>, patience: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    for look in 0u32.. {
        let over = closing.proved().is_some() || began.elapsed() >= patience;
        if over || (look.is_multiple_of(LOOKS) && !is_live(closing)?) {
            return Ok(());
        }
        thread::sleep(PERIOD);
    }
    Ok(())
}

const BLIND_HINT: &str =
    "with --role NAME and the whole id it is denied by IAM alone, without the evidence";
const RUNS: &str = "the session runs and has not closed its access yet";
const PERIOD: Duration = Duration::from_millis(500);
const LOOKS: u32 = 8;
