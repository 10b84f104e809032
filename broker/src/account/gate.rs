//! The activation gate: what stands open only while somebody uses a role. Who uses it is counted by facts, so that
//! one close-out never ends a colleague's access.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use bg_aws::fault::CallError;
use bg_recorder::abreast::Abreast;
use bg_recorder::clock::Clock;
use bg_recorder::facts::case::{Case, CaseError, OPEN};
use bg_recorder::keys::KeyService;
use bg_recorder::note::NOTE_MAX;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use serde_json::{Value, json};

use crate::account::hinge::Hinge;
use crate::account::iam::{Attachment, Iam, Trust};
use crate::config::{Gate, RoleConfig};
use crate::facts::claim::Claim;
use crate::facts::intent::Intent;
use crate::failure::Failure;
use crate::os::user::author;
use crate::world::World;

/// How a gate stands after a session has let go of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateStanding {
    /// The role has none.
    NoGate,
    Closed,
    /// So many other sessions need it.
    Needed(usize),
}

impl std::fmt::Display for GateStanding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoGate => f.write_str("none"),
            Self::Closed => f.write_str("closed"),
            Self::Needed(others) if *others >= HOLDERS_MAX => {
                write!(f, "still needed by {others} or more")
            }
            Self::Needed(others) => write!(f, "still needed by {others}"),
        }
    }
}

/// Opens the gate of a claim's role for its session. IAM needs some seconds until the role's own calls see it.
///
/// # Errors
/// When it cannot be counted or opened.
pub fn open(world: &World, claim: &Claim, keys: &dyn KeyService) -> Result<(), Failure> {
    let Some(hinge) = hinge(world, &claim.role)? else { return Ok(()) };
    // Who closes it for another session may not know that this one's end was moved.
    let longest = Intent { deadline: claim.latest, ..Intent::of(claim) };
    let dead_by = longest.dead_by(claim.latest);
    let door = Door::of(world, &*hinge, &claim.role, keys);
    door.open(claim.session, dead_by).map_err(|e| failed("open", &claim.name, e))
}

/// Lets go of the gate of a role, and closes it where nobody else holds it.
///
/// # Errors
/// When it cannot be counted or closed.
pub fn close(
    world: &World,
    name: &str,
    role: &RoleConfig,
    session: SessionId,
    keys: &dyn KeyService,
) -> Result<GateStanding, Failure> {
    let Some(hinge) = hinge(world, role)? else { return Ok(GateStanding::NoGate) };
    let door = Door::of(world, &*hinge, role, keys);
    door.close(session).map_err(|e| failed("close", name, e))
}

/// A gate, with the count of who needs it.
struct Door<'a> {
    hinge: &'a dyn Hinge,
    prefix: String,
    store: Arc<dyn ObjectStore>,
    keys: &'a dyn KeyService,
    clock: &'a dyn Clock,
}

impl<'a> Door<'a> {
    fn of(
        world: &'a World,
        hinge: &'a dyn Hinge,
        role: &RoleConfig,
        keys: &'a dyn KeyService,
    ) -> Self {
        Self { hinge, prefix: prefix(role), store: world.store(), keys, clock: &*world.clock }
    }

    /// The fact first: from then on, no close-out shuts the gate for good.
    fn open(&self, session: SessionId, dead_by: Stamp) -> Result<(), GateError> {
        self.note(session, OPEN, json!({ "dead_by": dead_by }))?;
        Ok(self.hinge.open()?)
    }

    /// Lets go, and shuts the gate where nobody else holds it.
    ///
    /// Neither IAM nor the store has a lock, so the count is taken twice. Whoever opens writes its fact first and calls
    /// IAM second. If that fact is there at our first count, we do not shut. If it comes between our two counts, the
    /// second one sees it and we open again, in whichever order its call and our shutting reached IAM. If it comes after
    /// our second count, its call comes after our shutting and is the last word. And of two that close at the same time,
    /// the one whose fact was written last finds nobody else. So no gate stays shut before somebody who has opened it.
    ///
    /// And none stays open behind the last: whoever came between our counts may be gone again before we open for them.
    /// So after that we count once more, as at first, and shut again where nobody is left.
    fn close(&self, session: SessionId) -> Result<GateStanding, GateError> {
        self.note(session, CLOSED, json!({}))?;
        let mut others = self.others(session)?;
        for _ in 0..ROUNDS_MAX {
            if others > 0 {
                break;
            }
            self.hinge.shut()?;
            if self.others(session)? == 0 {
                return Ok(GateStanding::Closed);
            }
            self.hinge.open()?;
            others = self.others(session)?;
        }
        Ok(GateStanding::Needed(others.max(1)))
    }

    fn note(&self, session: SessionId, fact: &str, says: Value) -> Result<(), GateError> {
        let case = Case::below(&self.prefix, session, Arc::clone(&self.store));
        Ok(case.note(self.keys, &author(), fact, says)?)
    }

    /// Counts the other sessions that opened it, have not closed it, and may still live. One of a crashed session counts
    /// until its credentials are dead, unless reconcile closes it before. Whether there are any is what matters: the
    /// count ends at [`HOLDERS_MAX`], however many objects lie there.
    fn others(&self, but: SessionId) -> Result<usize, GateError> {
        let now = self.clock.now();
        let mut holders = 0;
        let listed = self.store.list(&self.prefix).map_err(CaseError::Store)?;
        let mut opened: BTreeSet<SessionId> = BTreeSet::new();
        let mut closed: BTreeSet<SessionId> = BTreeSet::new();
        for entry in &listed {
            let name = entry.key.strip_prefix(&self.prefix).and_then(|key| key.split_once('/'));
            match name.map(|(id, fact)| (id.parse(), fact)) {
                Some((Ok(session), OPEN)) if session != but => drop(opened.insert(session)),
                Some((Ok(session), CLOSED)) => drop(closed.insert(session)),
                _ => {}
            }
        }
        // Those of long ago have let go, and are not read.
        opened.retain(|session| !(closed.contains(session) && is_long_ago(*session, now)));
        let opened: Vec<SessionId> = opened.into_iter().collect();
        // The newest first: they are the ones that may live.
        for some in opened.rchunks(AT_ONCE) {
            let facts = some.iter().flat_map(|session| {
                let last = closed.contains(session).then_some(CLOSED);
                [Some(OPEN), last].into_iter().flatten().map(move |fact| (session, fact))
            });
            let keys = facts.map(|(session, fact)| format!("{}{session}/{fact}", self.prefix));
            let store = Arc::new(Abreast::read(Arc::clone(&self.store), keys, NOTE_MAX as u64));
            for session in some {
                let case = Case::below(&self.prefix, *session, Arc::clone(&store) as _);
                let let_go = closed.contains(session) && self.has_let_go(&case)?;
                if !let_go && self.may_live(&case, now)? {
                    holders += 1;
                }
            }
            if holders >= HOLDERS_MAX {
                return Ok(HOLDERS_MAX);
            }
        }
        Ok(holders)
    }

    /// Whoever can write evidence but not sign shuts no gate before a colleague.
    fn has_let_go(&self, case: &Case) -> Result<bool, GateError> {
        match case.trusted(self.keys, CLOSED) {
            Ok(fact) => Ok(fact.is_some()),
            Err(CaseError::NotAFact(..) | CaseError::Untrusted(_)) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// What cannot be read counts: it is better to leave a gate open than to end a colleague's access.
    fn may_live(&self, case: &Case, now: Stamp) -> Result<bool, GateError> {
        let fact = match case.trusted(self.keys, OPEN) {
            Ok(fact) => fact,
            Err(CaseError::NotAFact(..) | CaseError::Untrusted(_)) => return Ok(true),
            Err(e) => return Err(e.into()),
        };
        let dead_by = fact.and_then(|fact| fact.says.get("dead_by").cloned());
        let dead_by = dead_by.and_then(|value| serde_json::from_value::<Stamp>(value).ok());
        Ok(dead_by.is_none_or(|dead_by| now < dead_by))
    }
}

/// Sessions of long ago are not read again.
fn is_long_ago(session: SessionId, now: Stamp) -> bool {
    now.0 > session.minted().0.saturating_add(LONG_AGO_US)
}

/// Gates are counted for each IAM role, which several configured roles may share.
fn prefix(role: &RoleConfig) -> String {
    let account = role.arn.split(':').nth(4).unwrap_or_default();
    format!("gates/{account}-{}/", role.role_name())
}

fn hinge(world: &World, role: &RoleConfig) -> Result<Option<Box<dyn Hinge>>, Failure> {
    let iam = || Ok::<_, Failure>(Iam::new(&world.edge(role.profiles.activator.as_deref())?));
    let name = role.role_name().to_owned();
    let read = |path: &std::path::Path| {
        fs::read_to_string(path).map_err(|e| {
            Failure::new(format!("cannot read the trust policy {}", path.display())).because(e)
        })
    };
    Ok(match &role.gate {
        Gate::None => None,
        Gate::Attach { policy } => {
            Some(Box::new(Attachment { iam: iam()?, role: name, policy: policy.clone() }))
        }
        Gate::Trust { open, closed } => Some(Box::new(Trust {
            iam: iam()?,
            role: name,
            open: read(open)?,
            closed: read(closed)?,
        })),
    })
}

fn failed(verb: &str, role: &str, error: GateError) -> Failure {
    let hint = match &error {
        GateError::Call(e) => e.hint(),
        GateError::Count(_) => None,
    };
    let failure = Failure::new(format!("cannot {verb} the gate of {role}")).because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Why a gate is not as it should be.
#[derive(Debug, thiserror::Error)]
enum GateError {
    #[error("cannot count who uses it")]
    Count(#[from] CaseError),
    #[error(transparent)]
    Call(#[from] CallError),
}

const CLOSED: &str = "closed";
/// 31 days: no session is open for that long.
const LONG_AGO_US: u64 = 31 * 24 * 3_600 * 1_000_000;
/// How often somebody may come and go while we shut the gate. More is no coincidence, and whoever is the last shuts it.
const ROUNDS_MAX: usize = 8;
/// Where the count of who needs a gate ends.
pub const HOLDERS_MAX: usize = 100;
/// How many sessions' facts are read at once.
const AT_ONCE: usize = 128;

#[cfg(test)]
mod tests;
