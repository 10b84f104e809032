//! Where this part meets the others. Each function is to become one call.

use std::sync::Arc;

use bg_aws::edge::Edge;
use bg_aws::fault::CallError;
use bg_recorder::clock::{Clock as _, Stamp, SystemClock};
use bg_recorder::keys::KeyService;
use bg_recorder::session::SessionId;
use bg_recorder::store::ObjectStore;
use serde_json::Value;

use super::Wish;
use crate::claim::Claim;
use crate::config::{Probe, RoleConfig};
use crate::failure::Failure;
use crate::revocation::Revocation;
use crate::switch::Switch;
use crate::world::World;

/// Stands in for `Grant`.
pub struct Grant {
    /// The person.
    pub person: String,
    role: RoleConfig,
    wish: Wish,
}

/// `Grant::obtain(world, &wish.role, …)`
pub fn granted(world: &World, wish: &Wish) -> Result<Grant, Failure> {
    let role = world.role(&wish.role)?.clone();
    if role.quorum > 0 {
        return Err(Failure::new("approvals are not there yet"));
    }
    Ok(Grant { person: crate::user::User::current().name, role, wish: wish.clone() })
}

/// `grant.claim(session, keys)`
pub fn claimed(grant: Grant, session: SessionId, _keys: &dyn KeyService) -> Result<Claim, Failure> {
    let now = Stamp(SystemClock.wall_us());
    Ok(Claim {
        session,
        name: grant.wish.role,
        deadline: super::later(grant.role.max_duration),
        role: grant.role,
        person: grant.person,
        reason: grant.wish.reason.unwrap_or_default(),
        incident: grant.wish.incident,
        request: "none".into(),
        request_sha256: String::new(),
        forced: grant.wish.forced,
        requested: now,
        access: Value::Null,
    })
}

/// `gate::open(world, claim, keys)`
pub fn gate_open(_world: &World, _claim: &Claim, _keys: &dyn KeyService) -> Result<(), Failure> {
    Ok(())
}

/// `probe::allowed(edge, probe)`
pub fn probe_allowed(_edge: &Edge, _probe: Probe) -> Result<Option<String>, CallError> {
    Ok(None)
}

/// `killswitch::watch(store, session, switch)`
pub fn watch(_store: Arc<dyn ObjectStore>, _session: SessionId, _switch: Switch) -> std::io::Result<()> {
    Ok(())
}

/// `closeout::close(world, claim, exhibit, keys)`
pub fn close(
    _world: &World,
    claim: &Claim,
    exhibit: Option<&(Edge, Stamp)>,
    _keys: &dyn KeyService,
) -> Revocation {
    let dead_by = exhibit.map_or(claim.deadline, |(_, expires)| *expires);
    Revocation::Pending { why: "close-out is not there yet".into(), dead_by }
}
