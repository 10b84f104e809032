//! Accesses that were opened and are not proved closed.

use std::collections::{BTreeMap, BTreeSet};

use bg_recorder::cause::chain;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::{CASES, Case, GATE, OPEN, PROVED};
use bg_recorder::session::SessionId;

use super::finding::Finding;
use crate::world::World;

/// Checks that no access is older than its deadline.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let check = "revocations";
    let listed = match world.store().list(CASES) {
        Ok(listed) => listed,
        Err(e) => {
            let why = "an access may still be alive";
            findings.push(Finding::warn(
                check,
                format!("not looked at: {}", chain(&e)),
                why,
                "see the evidence store",
            ));
            return;
        }
    };
    let mut cases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in &listed {
        let parts = entry.key.strip_prefix(CASES).and_then(|key| key.split_once('/'));
        if let Some((session, fact)) = parts {
            cases.entry(session).or_default().insert(fact);
        }
    }
    let open = cases.iter().filter(|(_, facts)| {
        facts.contains(OPEN) && !(facts.contains(PROVED) && facts.contains(GATE))
    });
    let mut live = 0;
    let mut late = Vec::new();
    for (session, _) in open {
        if is_late(world, session) { late.push(*session) } else { live += 1 }
    }
    let saw = format!("{live} accesses in use, {} not proved closed", late.len());
    findings.push(if late.is_empty() {
        Finding::ok(check, saw)
    } else {
        let why = format!("their credentials may still work: {}", late.join(", "));
        Finding::fail(check, saw, why, "bg-shell reconcile")
    });
}

/// Whether its deadline has passed; what cannot be read counts as late.
fn is_late(world: &World, session: &str) -> bool {
    let Ok(session) = session.parse::<SessionId>() else { return true };
    let fact = Case::new(session, world.store()).get(OPEN).ok().flatten();
    let deadline = fact.and_then(|fact| fact.says.get("deadline").cloned());
    let deadline =
        deadline.and_then(|stamp| serde_json::from_value::<bg_recorder::stamp::Stamp>(stamp).ok());
    deadline.is_none_or(|deadline| deadline.0 < SystemClock.wall_us())
}
