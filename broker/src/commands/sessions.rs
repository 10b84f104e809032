//! `bg-shell sessions`: which sessions are live, and whose access is not proved closed.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::abreast::Abreast;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::{CASES, Case, CaseError, OPEN, PENDING, PROVED, REVOKE};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::genesis::Genesis;
use bg_recorder::keys::KeyService;
use bg_recorder::life::{A_DAY, Life};
use bg_recorder::note::{NOTE_MAX, Note, NoteKind};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::facts::docket::Docket;
use crate::facts::intent::Intent;
use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct SessionsArgs {
    /// One JSON object a session on stdout
    #[arg(long)]
    json: bool,
    /// Those whose access is proved closed, too
    #[arg(long)]
    all: bool,
}

/// One session, as it is listed.
#[derive(Debug, Serialize)]
struct SessionRow {
    session: SessionId,
    state: Phase,
    role: String,
    person: String,
    began: Stamp,
    /// When it is over in any case: the deadline of one that is live, the last credentials of one that is pending.
    until: Option<Stamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Live,
    Closing,
    Pending,
    Revoked,
    Expired,
    Ended,
}

/// Lists sessions.
///
/// # Errors
/// When they cannot be looked at.
pub fn sessions(
    args: &SessionsArgs,
    world: &World,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    let docket = Docket::of(&*world.store(), world.is_practice(), world.clock.now())?;
    let keys = world.keys()?;
    let now = SystemClock.now();
    let Chosen { sessions, passed_over } = choose(&docket, args.all, now);
    let known = sessions.iter().flat_map(|(session, facts)| {
        let read = [OPEN, PROVED].into_iter().filter(|name| facts.contains(*name));
        read.map(move |name| format!("{CASES}{session}/{name}"))
    });
    let store: Arc<dyn ObjectStore> =
        Arc::new(Abreast::read(world.store(), known, NOTE_MAX as u64));
    let mut shown = 0;
    let mut junk = 0;
    for (session, facts) in &sessions {
        // What anybody could have put there may hide no other: a few such cases are listed, not thousands.
        if !args.all && facts.contains(OPEN) && !is_ours(*session, &store, &*keys) {
            junk += 1;
            if junk > JUNK_SHOWN {
                continue;
            }
        }
        let line = look(&store, *session, facts, &*keys)?;
        let open = matches!(line.state, Phase::Live | Phase::Closing | Phase::Pending);
        if open || (args.all && !facts.is_empty()) {
            shown += 1;
            if args.json { out.json(&line) } else { out.line(&row(&line, now)) }
        }
    }
    if shown == 0 && !args.json {
        say!("bg-shell: no session is open");
    }
    if junk > JUNK_SHOWN {
        let more = junk - JUNK_SHOWN;
        say!(
            "bg-shell: warning: {more} more cases are not signed by this evidence's key; --all lists them"
        );
    }
    if passed_over > 0 {
        say!("bg-shell: warning: {passed_over} older cases were not looked at; --all lists them");
    }
    Ok(ExitCode::SUCCESS)
}

/// Whose case is looked at.
struct Chosen<'a> {
    sessions: Vec<(SessionId, &'a BTreeSet<String>)>,
    /// How many others may be open, too.
    passed_over: usize,
}

/// Leaves out what cannot be open: what was proved closed long ago, and ids of the future. Of the rest the newest are
/// looked at; without that, whoever fills the bucket would have this take minutes.
fn choose(docket: &Docket, all: bool, now: Stamp) -> Chosen<'_> {
    let cases = docket.0.iter().map(|(session, facts)| (*session, facts));
    if all {
        return Chosen { sessions: cases.collect(), passed_over: 0 };
    }
    let over = |facts: &BTreeSet<String>| facts.contains(PROVED) || !facts.contains(OPEN);
    let may_be_open = |session: SessionId, facts: &BTreeSet<String>| {
        let minted = session.minted();
        minted <= now.after(A_DAY) && !(now > minted.after(LONG_AGO) && over(facts))
    };
    let mut sessions: Vec<_> =
        cases.filter(|(session, facts)| may_be_open(*session, facts)).collect();
    let passed_over = sessions.len().saturating_sub(LOOKED_AT_MAX);
    Chosen { sessions: sessions.split_off(passed_over), passed_over }
}

fn is_ours(session: SessionId, store: &Arc<dyn ObjectStore>, keys: &dyn KeyService) -> bool {
    let opened = Case::new(session, Arc::clone(store)).trusted(keys, OPEN);
    // What could not be read now is not called junk.
    !matches!(opened, Err(CaseError::NotAFact(..) | CaseError::Untrusted(_)))
}

fn look(
    store: &Arc<dyn ObjectStore>,
    session: SessionId,
    facts: &BTreeSet<String>,
    keys: &dyn KeyService,
) -> Result<SessionRow, Failure> {
    let unreadable = |e| Failure::new(format!("cannot look at session {session}")).because(e);
    let case = Case::new(session, Arc::clone(store));
    // A fact that cannot be trusted closes nothing: what it would have said counts as unsaid.
    let said = |name: &str| case.trusted(keys, name).ok().flatten();
    let opened = said(OPEN).as_ref().and_then(Intent::read);
    let ended: Option<Revocation> =
        said(PROVED).and_then(|fact| serde_json::from_value(Value::Object(fact.says)).ok());
    let live = ended.is_none()
        && matches!(
            Life::of(&**store, session, SystemClock.now()).map_err(unreadable)?,
            Life::Live { .. }
        );
    let state = match (&ended, live) {
        (Some(Revocation::Expired { .. }), _) => Phase::Expired,
        (Some(Revocation::Revoked { .. }), _) => Phase::Revoked,
        (Some(Revocation::None { .. } | Revocation::Pending { .. }), _) => Phase::Ended,
        (None, true) if facts.contains(REVOKE) => Phase::Closing,
        (None, true) => Phase::Live,
        (None, false) if facts.contains(OPEN) => Phase::Pending,
        (None, false) => Phase::Ended,
    };
    let began = session.minted();
    let Some(opened) = opened else { return Ok(unopened(&**store, session, state, began)) };
    // What has ended is not read further.
    let opened = match state {
        Phase::Revoked | Phase::Expired | Phase::Ended => opened,
        Phase::Live | Phase::Closing | Phase::Pending => opened
            .renewed(&case, keys)
            .map_err(|e| Failure::new(format!("cannot look at session {session}")).because(e))?,
    };
    let until = match state {
        Phase::Live => Some(opened.deadline),
        Phase::Closing | Phase::Pending => Some(bound(&opened, &case, facts, keys)),
        Phase::Revoked | Phase::Expired | Phase::Ended => None,
    };
    Ok(SessionRow { session, state, role: opened.role, person: opened.person, began, until })
}

/// Returns when the credentials of a pending access are dead.
fn bound(opened: &Intent, case: &Case, facts: &BTreeSet<String>, keys: &dyn KeyService) -> Stamp {
    let pending = facts.iter().filter(|name| name.starts_with(PENDING));
    let pending = pending.filter_map(|name| case.trusted(keys, name).ok()?);
    let bounds =
        pending.filter_map(|fact| serde_json::from_value(fact.says.get("dead_by")?.clone()).ok());
    bounds.fold(opened.dead_by(opened.deadline), Stamp::min)
}

/// A session without an access: what its genesis declares.
fn unopened(store: &dyn ObjectStore, session: SessionId, state: Phase, began: Stamp) -> SessionRow {
    let bytes = store.get(&format!("{}genesis", session.prefix(began)), NOTE_MAX as u64);
    let genesis = bytes.ok().and_then(|bytes| {
        Note::parse(NoteKind::Genesis, &bytes).and_then(|note| note.read::<Genesis>()).ok()
    });
    let about = |name: &str| genesis.as_ref().and_then(|genesis| genesis.about.get(name));
    let text = |name: &str| about(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let limit = about("max_duration_s").and_then(Value::as_u64).map(Duration::from_secs);
    let until = limit.filter(|_| state == Phase::Live).map(|limit| began.after(limit));
    SessionRow { session, state, role: text("role"), person: text("user"), began, until }
}

fn row(line: &SessionRow, now: Stamp) -> String {
    let state = match line.state {
        Phase::Live => "live",
        Phase::Closing => "closing",
        Phase::Pending => "pending",
        Phase::Revoked => "revoked",
        Phase::Expired => "expired",
        Phase::Ended => "ended",
    };
    // What is past is said in the past.
    let until = line.until.map_or_else(String::new, |until| match line.state {
        Phase::Pending | Phase::Closing if until <= now => {
            format!(", credentials ended {}", until.hour())
        }
        _ => format!(" to {}", until.hour()),
    });
    let role = &line.role;
    let person = &line.person;
    format!("{}  {state:7}  {role}  {person}  {}{until} UTC", line.session, line.began.minute())
}

/// No session is open for 31 days.
const LONG_AGO: Duration = Duration::from_secs(31 * 86_400);
/// How many cases are looked at that may be open.
const LOOKED_AT_MAX: usize = 1_000;
/// How many cases are listed that nobody has signed.
const JUNK_SHOWN: usize = 10;
