//! `bg-shell reconcile`: finishes what a close-out could not.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::abreast::Abreast;
use bg_recorder::facts::case::{CASES, Case, CaseError, DENIED, GATE, OPEN, PROVED, REVOKE};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::keys::KeyService;
use bg_recorder::life::Life;
use bg_recorder::note::NOTE_MAX;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use clap::Args;
use serde_json::{Value, json};

use crate::closeout::abandoned::{self, Gone};
use crate::facts::docket::Docket;
use crate::facts::intent::{Intent, MARGIN};
use crate::failure::{BG_SHELL, Failure, PENDING};
use crate::herald;
use crate::os::user::author;
use crate::session::summary;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// One JSON object a session on stdout
    #[arg(long)]
    json: bool,
}

/// What became of one access.
enum Outcome {
    /// Its session runs, and closes it by itself.
    Live,
    /// Nothing was left to do, or only its gate.
    Closed,
    /// It was closed, or is pending.
    Ended(Revocation),
}

/// Finishes pending revocations. Sessions that run are left alone.
///
/// # Errors
/// When it cannot be done.
pub fn reconcile(
    args: &ReconcileArgs,
    world: &World,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    // What is in the outbox is tried again.
    world.notifier();
    let docket = Docket::of(&*world.store(), world.is_practice(), world.clock.now())?;
    let keys = world.keys()?;
    let has =
        |session, fact: &str| docket.0.get(&session).is_some_and(|facts| facts.contains(fact));
    let open = docket.0.keys().copied().filter(|session| has(*session, OPEN));
    let open: Vec<_> =
        open.filter(|session| !(has(*session, PROVED) && has(*session, GATE))).collect();
    let unheard = unheard(world, &docket);
    let closed = |session: &SessionId| {
        [OPEN, DENIED, PROVED, GATE].into_iter().all(|fact| has(*session, fact))
    };
    let guarded = |session: &SessionId| world.clock.now() < session.minted().after(ALIVE_MAX);
    let closed: Vec<SessionId> = docket.0.keys().copied().filter(closed).filter(guarded).collect();
    // Each is looked at more than once, and read once.
    let known: BTreeSet<_> = open.iter().chain(&unheard).chain(&closed).collect();
    let names = known.into_iter().map(|session| format!("{CASES}{session}/{OPEN}"));
    let store: Arc<dyn ObjectStore> =
        Arc::new(Abreast::read(world.store(), names, NOTE_MAX as u64));
    overrides(world, &unheard, &store, &*keys);
    let mut all_closed = true;
    let mut junk = 0;
    for session in &open {
        // Nobody knows what to close there. It is told, and not a thousand times.
        let opened = Case::new(*session, Arc::clone(&store)).trusted(&*keys, OPEN);
        if matches!(opened, Err(CaseError::NotAFact(..) | CaseError::Untrusted(_))) {
            junk += 1;
            if junk > JUNK_TOLD {
                continue;
            }
        }
        let asked = has(*session, REVOKE) && !has(*session, DENIED);
        let outcome = one(world, *session, &*keys, asked);
        all_closed &= !matches!(&outcome, Ok(Outcome::Ended(Revocation::Pending { .. })) | Err(_));
        if let Ok(Outcome::Ended(revocation)) = &outcome {
            herald::late(world, *session, revocation);
        }
        if args.json {
            out.json(&line(*session, &outcome))
        } else {
            tell(*session, &outcome, world.clock.now())
        }
    }
    let restored = guard_all(world, &closed, &store, &*keys, args.json.then_some(&mut *out));
    all_closed &= restored.is_some();
    if open.is_empty() && restored == Some(0) && !args.json {
        say!("bg-shell: nothing to reconcile");
    }
    if junk > JUNK_TOLD {
        let more = junk - JUNK_TOLD;
        say!(
            "bg-shell: warning: {more} more cases are not signed by this evidence's key; they are passed over"
        );
    }
    Ok(if all_closed { ExitCode::SUCCESS } else { ExitCode::from(PENDING) })
}

/// Returns the newer accesses of which no fact says that anybody has heard of an override.
fn unheard(world: &World, docket: &Docket) -> Vec<SessionId> {
    let now = world.clock.now();
    let recent = docket.0.iter().filter(|(session, facts)| {
        let is_recent = session.minted() <= now && session.minted().after(TOLD_AGAIN) >= now;
        is_recent && facts.contains(OPEN) && !facts.contains(herald::HEARD)
    });
    recent.map(|(session, _)| *session).collect()
}

/// Tells of overrides of which nobody has heard: a host's outbox can be emptied, facts cannot.
fn overrides(
    world: &World,
    unheard: &[SessionId],
    store: &Arc<dyn ObjectStore>,
    keys: &dyn KeyService,
) {
    for session in unheard {
        let case = Case::new(*session, Arc::clone(store));
        let Ok(Some(opened)) = case.trusted(keys, OPEN) else { continue };
        if opened.says.get("forced") != Some(&Value::Bool(true)) {
            continue;
        }
        if herald::overridden_unheard(world, &opened) {
            say!("bg-shell: session {session} was opened WITHOUT ITS APPROVALS: told again");
            drop(case.note(keys, &author(), herald::HEARD, json!({})));
        } else {
            say!(
                "bg-shell: warning: session {session} was opened WITHOUT ITS APPROVALS, and nobody has heard of it"
            );
        }
    }
}

fn one(
    world: &World,
    session: SessionId,
    keys: &dyn KeyService,
    asked: bool,
) -> Result<Outcome, Failure> {
    if is_live(world, session, keys)? {
        let closing =
            if asked { abandoned::closing(world, session, keys, Gone::Silent)? } else { None };
        return match closing.map(|closing| closing.deny()) {
            Some(Err(why)) => Err(Failure::new(format!("cannot deny session {session}: {why}"))),
            Some(Ok(_)) | None => Ok(Outcome::Live),
        };
    }
    let revocation = abandoned::close(world, session, keys, Gone::Silent)?;
    Ok(revocation.map_or(Outcome::Closed, Outcome::Ended))
}

/// Looks after the Denies of accesses that are closed already; returns how many were put back, or none where that could
/// not be known of each.
fn guard_all(
    world: &World,
    closed: &[SessionId],
    store: &Arc<dyn ObjectStore>,
    keys: &dyn KeyService,
    mut out: Option<&mut Answer<'_>>,
) -> Option<u64> {
    let mut restored = Some(0);
    for session in closed {
        // What nobody has signed was told of above, or is nothing.
        let opened = Case::new(*session, Arc::clone(store)).trusted(keys, OPEN);
        if matches!(opened, Err(CaseError::NotAFact(..) | CaseError::Untrusted(_))) {
            continue;
        }
        let line = match guard(world, *session, keys) {
            Ok(false) => continue,
            Ok(true) => {
                restored = restored.map(|count| count + 1);
                json!({"state": "deny-restored", "session": session})
            }
            Err(failure) => {
                restored = None;
                if out.is_none() {
                    BG_SHELL.tell(&failure);
                }
                json!({"state": "failed", "why": failure.to_string(), "session": session})
            }
        };
        if let Some(out) = &mut out {
            out.json(&line);
        }
    }
    restored
}

/// Looks after the Deny of an access that is closed already, until its credentials are dead; returns whether somebody had
/// taken it away.
fn guard(world: &World, session: SessionId, keys: &dyn KeyService) -> Result<bool, Failure> {
    match abandoned::closing(world, session, keys, Gone::Dead)? {
        Some(closing) if !closing.is_dead() => closing.restore(),
        _ => Ok(false),
    }
}

/// A session past its deadline is not believed to live, whatever its tape says.
fn is_live(world: &World, session: SessionId, keys: &dyn KeyService) -> Result<bool, Failure> {
    let unreadable = |e| Failure::new(format!("cannot look at session {session}")).because(e);
    let life = Life::of(&*world.store(), session, world.clock.now()).map_err(unreadable)?;
    let case = Case::new(session, world.store());
    let opened = case.trusted(keys, OPEN).ok().flatten().as_ref().and_then(Intent::read);
    let deadline = match opened.map(|opened| opened.renewed(&case, keys)).transpose() {
        Ok(opened) => opened.map(|opened| opened.deadline),
        Err(e) => {
            return Err(Failure::new(format!("cannot look at session {session}")).because(e));
        }
    };
    let over = deadline.is_none_or(|deadline| world.clock.now() > deadline.after(MARGIN));
    Ok(matches!(life, Life::Live { .. }) && !over)
}

fn tell(session: SessionId, outcome: &Result<Outcome, Failure>, now: Stamp) {
    match outcome {
        Ok(Outcome::Live) => say!("bg-shell: session {session} runs, and closes its access itself"),
        Ok(Outcome::Closed) => say!("bg-shell: session {session} is closed, its gate, too"),
        Ok(Outcome::Ended(revocation)) => {
            say!("bg-shell: session {session}:");
            summary::revocation(revocation, now);
        }
        // The next session is looked at all the same.
        Err(failure) => BG_SHELL.tell(failure),
    }
}

fn line(session: SessionId, outcome: &Result<Outcome, Failure>) -> Value {
    let mut line = match outcome {
        Ok(Outcome::Live) => json!({"state": "live"}),
        Ok(Outcome::Closed) => json!({"state": "closed"}),
        Ok(Outcome::Ended(revocation)) => json!(revocation),
        Err(failure) => json!({"state": "failed", "why": failure.to_string()}),
    };
    if let Value::Object(line) = &mut line {
        line.insert("session".into(), json!(session));
    }
    line
}

/// How many cases are told of that nobody has signed.
const JUNK_TOLD: usize = 10;
/// How long an override is told again that nobody has heard of.
const TOLD_AGAIN: Duration = Duration::from_secs(7 * 86_400);
/// Two days: a session lasts twelve hours at most, and its credentials an hour longer.
const ALIVE_MAX: Duration = Duration::from_secs(2 * 86_400);
