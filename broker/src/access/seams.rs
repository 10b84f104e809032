//! Where this part meets the others. Each function is to become one call.

use bg_recorder::clock::{Clock as _, Stamp, SystemClock};
use bg_recorder::keys::KeyService;
use bg_recorder::session::SessionId;
use serde_json::Value;

use super::Wish;
use crate::claim::Claim;
use crate::config::RoleConfig;
use crate::failure::Failure;
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
