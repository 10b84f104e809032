//! Accesses that were opened and are not proved closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bg_recorder::abreast::Abreast;
use bg_recorder::cause::chain;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::{CASES, Case, GATE, OPEN, PROVED, RENEWED};
use bg_recorder::keys::KeyService;
use bg_recorder::note::NOTE_MAX;
use bg_recorder::session::SessionId;
use bg_recorder::store::ObjectStore;

use super::finding::Finding;
use crate::facts::intent::Intent;
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
    // Ends that were moved count where their signatures can be checked.
    let renewed = |session: &&&str| {
        let mut facts = cases.get(**session).into_iter().flatten();
        facts.any(|fact| fact.starts_with(RENEWED))
    };
    let keys = open.iter().any(|session| renewed(&session)).then(|| world.keys().ok()).flatten();
    let (late, live): (Vec<&str>, Vec<&str>) = open.iter().partition(|session| {
        is_late(&store, session, keys.as_deref().filter(|_| renewed(session)))
    });
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
fn is_late(store: &Arc<dyn ObjectStore>, session: &str, keys: Option<&dyn KeyService>) -> bool {
    let Ok(session) = session.parse::<SessionId>() else { return true };
    let case = Case::new(session, Arc::clone(store));
    let Some(fact) = case.get(OPEN).ok().flatten() else { return true };
    let Some(opened) = Intent::read(&fact) else { return true };
    let moved = keys.and_then(|keys| opened.clone().renewed(&case, keys).ok());
    moved.unwrap_or(opened).deadline.0 < SystemClock.wall_us()
}

/// How many sessions are named.
const NAMED_MAX: usize = 10;
