//! Accesses whose session cannot close them itself: its recorder was killed, or it is not heard of. They are closed
//! by name.

use bg_recorder::facts::case::{Case, CaseError, GATE, OPEN};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::host::HostCount;
use bg_recorder::keys::KeyService;
use bg_recorder::recover::owner::ours;
use bg_recorder::session::SessionId;
use bg_recorder::spool;

use crate::closeout::Closing;
use crate::facts::intent::Intent;
use crate::failure::Failure;
use crate::world::World;

/// What is known of a session that cannot close its own access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Its recorder is dead: nobody asks for credentials any more.
    Dead,
    /// It is not heard of: it may ask for credentials until its deadline.
    Silent,
}

/// Closes the access of a session that did not do it itself. None: it has no access, or it is closed.
///
/// Nobody has its credentials any more, so nothing can be probed: the access counts as pending until they have
/// expired, and is then said to be expired, never to be revoked.
///
/// # Errors
/// When its facts cannot be read, or its role is not configured here.
pub fn close(
    world: &World,
    session: SessionId,
    keys: &dyn KeyService,
    gone: Gone,
) -> Result<Option<Revocation>, Failure> {
    let Some(closing) = closing(world, session, keys, gone)? else { return Ok(None) };
    if closing.proved().is_none() {
        return Ok(Some(closing.run(None)));
    }
    if closing.case.get(GATE).map_err(|e| unreadable(session, e))?.is_none() {
        closing.shut_the_gate();
    }
    Ok(None)
}

/// Prepares the close-out of a session by what its facts say. None: it never asked for credentials.
///
/// # Errors
/// When its facts cannot be read, or its role is not configured here.
pub fn closing<'a>(
    world: &'a World,
    session: SessionId,
    keys: &'a dyn KeyService,
    gone: Gone,
) -> Result<Option<Closing<'a>>, Failure> {
    let case = Case::new(session, world.store());
    let Some(fact) = case.trusted(keys, OPEN).map_err(|e| unreadable(session, e))? else {
        return Ok(None);
    };
    let opened = Intent::read(&fact).ok_or_else(|| {
        Failure::new(format!("session {session}: its open fact is of another version"))
            .hint("use the bg-shell that opened it")
    })?;
    let opened = opened.renewed(&case, keys).map_err(|e| unreadable(session, e))?;
    let mut role = world.role(&opened.role)?.clone();
    role.gate = opened.gate.clone().unwrap_or(role.gate);
    if role.arn != opened.role_arn {
        let what = format!(
            "session {session} has {}, and {} is {} here",
            opened.role_arn, opened.role, role.arn
        );
        return Err(Failure::new(what).hint("use the configuration that it was opened with"));
    }
    let last_asked = if gone == Gone::Dead { world.clock.now() } else { opened.deadline };
    let dead_by = opened.dead_by(last_asked);
    Ok(Some(Closing {
        world,
        case,
        role,
        name: opened.role,
        keys,
        began: world.clock.now(),
        dead_by,
    }))
}

/// Closes the accesses of this host's dead sessions: what `recover` does before it ships their tapes.
pub fn orphans(
    world: &World,
    keys: &dyn KeyService,
) -> Vec<(SessionId, Result<Revocation, Failure>)> {
    // Spools that cannot be listed are recover's to complain about.
    let spools = spool::all(&world.evidence().spool()).unwrap_or_default();
    let ids = spools.iter().filter_map(|dir| Some((dir, dir.file_name()?.to_str()?.parse().ok()?)));
    let mut closed = Vec::new();
    // Without the host's count nobody knows which sessions are this host's.
    let state = world.evidence().state();
    let host = HostCount::open(state).map(|count| count.id().to_owned()).unwrap_or_default();
    for (dir, session) in ids {
        if ours(dir, &host, &world.store(), keys.ring(), world.clock.wall_us()).is_err() {
            continue;
        }
        // Only a session that has asked for credentials is looked at: none is disturbed while it begins.
        let opened = Case::new(session, world.store()).get(OPEN);
        if !matches!(opened, Ok(Some(_))) || !matches!(spool::lock(dir), Ok(Some(_))) {
            continue;
        }
        if let Some(revocation) = close(world, session, keys, Gone::Dead).transpose() {
            closed.push((session, revocation));
        }
    }
    closed
}

fn unreadable(session: SessionId, e: CaseError) -> Failure {
    Failure::new(format!("cannot read the facts around session {session}")).because(e)
}
