//! Who opens and who ends: that their credentials are there, and that they are not one and the same.

use bg_aws::fault::CallError;

use super::eyes::Eyes;
use super::finding::Finding;
use super::policy::same_principal;
use crate::config::{Gate, RoleConfig};

/// Checks the profiles of a role.
pub fn check(name: &str, role: &RoleConfig, eyes: &Eyes<'_>, findings: &mut Vec<Finding>) {
    let profiles = &role.profiles;
    let source = eyes.caller(profiles.source.as_deref());
    let revoker = eyes.caller(profiles.revoker.as_deref());
    let activator = (role.gate != Gate::None)
        .then(|| ("activator", eyes.caller(profiles.activator.as_deref())));
    let known = [("source", &source), ("revoker", &revoker)];
    let known = known.into_iter().chain(activator.iter().map(|(which, caller)| (*which, caller)));
    let missing: Vec<(&str, &CallError)> =
        known.filter_map(|(which, caller)| Some((which, caller.as_ref().err()?))).collect();
    for (which, error) in &missing {
        let check = format!("{which} {name}");
        let why = why_missing(which);
        let fix = error.hint().unwrap_or_else(|| format!("see roles.{name}.profiles.{which}"));
        findings.push(Finding::fail(check, error.to_string(), why, fix));
    }
    if let (Ok(source), Ok(revoker)) = (&source, &revoker) {
        let activator = activator.and_then(|(_, caller)| caller.ok());
        findings.push(judged(name, source, revoker, activator.as_deref()));
    }
}

fn judged(name: &str, source: &str, revoker: &str, activator: Option<&str>) -> Finding {
    let check = format!("principals {name}");
    if same_principal(source, revoker) {
        let why = "who opens accesses can also lift their revocation";
        return Finding::warn(check, format!("{source} opens and revokes"), why, FIX);
    }
    if activator.is_some_and(|activator| same_principal(activator, revoker)) {
        let why = "who opens the gate can also lift a revocation";
        return Finding::warn(check, format!("{revoker} activates and revokes"), why, FIX);
    }
    Finding::ok(check, format!("{} opens, {} revokes", short(source), short(revoker)))
}

fn short(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}

fn why_missing(which: &str) -> &'static str {
    match which {
        "source" => "the role cannot be opened",
        "activator" => "the gate cannot be opened, nor closed",
        _ => "an access cannot be denied: it stays alive until it expires",
    }
}

const FIX: &str = "name another principal in profiles.revoker: deploy/policies/revoker.json";
