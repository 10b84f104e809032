//! What can hold a session's processes here.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::os::contain::{Containment, try_out};
use crate::world::World;

/// Tries each containment out with a keeper that starts nothing: which one a session gets, why not another, and
/// whether those that are demanded can be had.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let all = [Containment::Cgroup, Containment::Subreaper, Containment::PidNamespace];
    let tried = all.map(|by| (by, try_out(by).map_err(|e| e.to_string())));
    let mut can = tried.iter().filter(|(_, tried)| tried.is_ok()).map(|(by, _)| by.word());
    let cannot = tried.iter().filter_map(|(by, tried)| {
        let why = tried.as_ref().err()?;
        Some(format!("; no {}: {why}", by.word()))
    });
    let Some(first) = can.next() else {
        let saw = format!("none{}", cannot.collect::<String>());
        return findings.push(Finding::fail(CHECK, saw, "no session begins", FIX));
    };
    let others: String = can.map(|other| format!("; {other} where it is demanded")).collect();
    findings.push(Finding::ok(CHECK, format!("{first}{others}{}", cannot.collect::<String>())));
    for (who, by) in demanded(world) {
        let why = tried
            .iter()
            .find(|(tried, _)| *tried == by)
            .and_then(|(_, tried)| tried.as_ref().err());
        if let Some(why) = why {
            let saw = format!("a {} is demanded: {why}", by.word());
            let check = format!("{CHECK} {who}");
            findings.push(Finding::fail(check, saw, "no session of it begins here", FIX));
        }
    }
}

/// Lists who demands one.
fn demanded(world: &World) -> BTreeMap<&str, Containment> {
    let roles = world.config.roles.iter().map(|(name, role)| (name.as_str(), role.containment));
    let practice = [("practice", world.config.practice.containment)];
    roles.chain(practice).filter_map(|(name, by)| Some((name, by?))).collect()
}

const CHECK: &str = "containment";
const FIX: &str = "a cgroup needs root or a delegated cgroup v2 (Delegate=yes in systemd), a namespace needs unshare(2) and \
    mount(2); or demand another in its containment";
