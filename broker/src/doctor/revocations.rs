//! Accesses that were opened and are not proved closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bg_recorder::abreast::Abreast;
use bg_recorder::cause::chain;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::{CASES, Case, GATE, OPEN, PROVED};
use bg_recorder::note::NOTE_MAX;
use bg_recorder::session::SessionId;
use bg_recorder::store::ObjectStore;

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
    let open: Vec<&str> = cases
        .iter()
        .filter(|(_, facts)| {
            facts.contains(OPEN) && !(facts.contains(PROVED) && facts.contains(GATE))
        })
        .map(|(session, _)| *session)
        .collect();
    let keys = open.iter().map(|session| format!("{CASES}{session}/{OPEN}"));
    let store: Arc<dyn ObjectStore> = Arc::new(Abreast::read(world.store(), keys, NOTE_MAX as u64));
    let (late, live): (Vec<&str>, Vec<&str>) =
        open.iter().partition(|session| is_late(&store, session));
    let live = live.len();
    let saw = format!("{live} accesses in use, {} not proved closed", late.len());
    findings.push(if late.is_empty() {
        Finding::ok(check, saw)
    } else {
        let why = format!("their credentials may still work: {}", named(&late));
        Finding::fail(check, saw, why, "bg-shell reconcile")
    });
}

fn named(late: &[&str]) -> String {
    let some = late.get(..NAMED_MAX).unwrap_or(late).join(", ");
    match late.len().checked_sub(NAMED_MAX) {
        Some(more @ 1..) => format!("{some} and {more} more"),
        _ => some,
    }
}

/// Whether its deadline has passed; what cannot be read counts as late.
fn is_late(store: &Arc<dyn ObjectStore>, session: &str) -> bool {
    let Ok(session) = session.parse::<SessionId>() else { return true };
    let fact = Case::new(session, Arc::clone(store)).get(OPEN).ok().flatten();
    let deadline = fact.and_then(|fact| fact.says.get("deadline").cloned());
    let deadline =
        deadline.and_then(|stamp| serde_json::from_value::<bg_recorder::stamp::Stamp>(stamp).ok());
    deadline.is_none_or(|deadline| deadline.0 < SystemClock.wall_us())
}

/// How many sessions are named.
const NAMED_MAX: usize = 10;
