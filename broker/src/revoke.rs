//! `bg-shell revoke`: the kill switch, from anywhere.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use bg_recorder::keys::KeyService;
use bg_recorder::session::SessionId;
use clap::Args;
use serde_json::{Map, Value};

use crate::abandoned::{self, Gone};
use crate::aws::iam::Iam;
use crate::case::{Case, CaseError, REVOKE};
use crate::closeout::{Closing, now};
use crate::deny_policy::DenyPolicy;
use crate::docket::Docket;
use crate::failure::{Failure, PENDING};
use crate::liveness::Life;
use crate::revocation::Revocation;
use crate::say::say;
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
    /// How long to wait for the proof
    #[arg(long, value_name = "DURATION", default_value = "90s", value_parser = crate::cli::duration)]
    wait: Duration,
}

/// Ends a session and its access.
///
/// # Errors
/// When it cannot be done.
pub fn revoke(args: &RevokeArgs, world: &World) -> Result<ExitCode, Failure> {
    let (store, keys) = (world.store(), world.keys()?);
    let session = Docket::read(&*store)?.with_recent_tapes(&*store)?.find(&args.session)?;
    ask(&Case::new(session, world.store()), &*keys, &args.reason)?;
    let Some(closing) = abandoned::closing(world, session, &*keys, Gone::Silent)? else {
        say!("bg-shell: session {session} was told to end; it has no access to deny");
        let ended = until(args.wait, || life(world, session).map(|life| !is_live(&life)))?;
        return Ok(if ended { ExitCode::SUCCESS } else { pending(session, "it has not ended yet") });
    };
    if let Some(revocation) = closing.proved() {
        return Ok(told(session, &revocation));
    }
    deny(&closing);
    until(args.wait, || Ok(closing.proved().is_some() || !is_live(&life(world, session)?)))?;
    Ok(match closing.proved() {
        Some(revocation) => told(session, &revocation),
        None if is_live(&life(world, session)?) => {
            let revocation = closing.pend("the session runs and has not closed its access yet");
            told(session, &revocation)
        }
        None => told(session, &closing.run(None)),
    })
}

/// The fact first: the running session polls it, and whatever fails from here on, it stays.
fn ask(case: &Case, keys: &dyn KeyService, reason: &str) -> Result<(), Failure> {
    let says = Map::from_iter([("reason".to_owned(), Value::from(reason))]);
    match case.put(keys, REVOKE, says) {
        Ok(_) => Ok(()),
        Err(CaseError::Taken(_)) => {
            say!("bg-shell: session {} was told to end before", case.session);
            Ok(())
        }
        Err(e) => Err(Failure::new("cannot tell the session to end").because(e)),
    }
}

/// Denies at once: a session that cannot read the evidence store, or was tampered with, is not asked.
fn deny(closing: &Closing<'_>) {
    let denied = match closing.deny() {
        Ok(denied) => denied,
        Err(why) => {
            closing.pend(&why);
            return;
        }
    };
    let id = denied.request_id.map_or_else(String::new, |id| format!(" (request id {id})"));
    say!("bg-shell: denied by the inline policy {}{id}", denied.policy);
    let deny = DenyPolicy { role: closing.role.role_name(), session: closing.case.session };
    let edge = closing.world.edge(closing.role.profiles.revoker.as_deref());
    match edge.map(|edge| deny.stands(&Iam::new(&edge))) {
        Ok(Ok(true)) => say!("bg-shell: the role has it; waiting for the proof"),
        Ok(Ok(false)) => say!("bg-shell: warning: the role does not show it yet"),
        Ok(Err(e)) => say!("bg-shell: warning: cannot read it back: {e}"),
        Err(failure) => say!("bg-shell: warning: cannot read it back: {failure}"),
    }
}

fn told(session: SessionId, revocation: &Revocation) -> ExitCode {
    match revocation {
        Revocation::None { why } => say!("bg-shell: session {session}: {why}"),
        Revocation::Revoked { probe, proved, elapsed_ms, .. } => {
            say!(
                "bg-shell: session {session} is revoked: {probe} is denied since {proved} ({elapsed_ms} ms)"
            );
        }
        Revocation::Expired { dead_by, .. } => {
            say!("bg-shell: session {session}: its credentials expired by {dead_by}");
        }
        Revocation::Pending { .. } => return pending(session, "the access is not proved closed"),
    }
    ExitCode::SUCCESS
}

fn pending(session: SessionId, why: &str) -> ExitCode {
    say!("bg-shell: session {session}: {why}");
    ExitCode::from(PENDING)
}

fn life(world: &World, session: SessionId) -> Result<Life, Failure> {
    Life::of(&*world.store(), session, now())
        .map_err(|e| Failure::new("cannot look at the session").because(e))
}

fn is_live(life: &Life) -> bool {
    matches!(life, Life::Live { .. })
}

/// Looks every half second until it holds, as long as `wait`.
fn until(wait: Duration, holds: impl Fn() -> Result<bool, Failure>) -> Result<bool, Failure> {
    let began = Instant::now();
    loop {
        if holds()? {
            return Ok(true);
        }
        if began.elapsed() >= wait {
            return Ok(false);
        }
        thread::sleep(PERIOD);
    }
}

const PERIOD: Duration = Duration::from_millis(500);
