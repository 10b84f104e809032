//! Who may assume the role: named principals, who say whom they act for.

use super::eyes::SeenRole;
use super::finding::Finding;
use super::policy::{Document, Statement};
use crate::config::{Gate, RoleConfig};

/// Checks a role's trust policy.
pub fn check(name: &str, role: &RoleConfig, seen: &SeenRole, findings: &mut Vec<Finding>) {
    let check = format!("trust {name}");
    if let Err(e) = &seen.role {
        findings.push(Finding::unseen(check, e));
        return;
    }
    match &seen.trust {
        Ok(trust) => findings.push(judged(check, trust, &role.gate)),
        Err(e) => findings.push(Finding::fail(
            check,
            e.to_string(),
            "nobody knows who may assume it",
            FIX,
        )),
    }
    if let Ok(found) = &seen.role {
        findings.push(duration(name, found.max_session_duration().unwrap_or(LONGEST_S)));
    }
}

fn judged(check: String, trust: &Document, gate: &Gate) -> Finding {
    let open: Vec<&Statement> = trust.allowing(ASSUME).collect();
    let who: Vec<&str> =
        open.iter().flat_map(|statement| &statement.principals).map(String::as_str).collect();
    let anybody = |principal: &&str| {
        *principal == "*" || principal.ends_with(":root") || !principal.contains(':')
    };
    let names_responder = |statement: &&Statement| {
        let demanded = statement.demands("StringLike", "sts:SourceIdentity");
        demanded.is_some() || statement.demands("StringEquals", "sts:SourceIdentity").is_some()
    };
    if open.is_empty() {
        return match gate {
            Gate::Trust { .. } => Finding::ok(check, "nobody, until the gate opens"),
            _ => Finding::fail(
                check,
                "nobody may assume it",
                "the role cannot be opened at all",
                FIX,
            ),
        };
    }
    if let Some(all) = who.iter().find(|who| anybody(who)) {
        let why =
            "whoever IAM lets, in the whole account or beyond it, opens the role past bg-shell";
        return Finding::fail(check, format!("{all} may assume it"), why, FIX);
    }
    let saw = who.join(", ");
    if !open.iter().all(names_responder) {
        let why = "CloudTrail does not say which person a session belongs to";
        return Finding::warn(check, format!("{saw}, without sts:SourceIdentity"), why, FIX);
    }
    Finding::ok(check, format!("{saw}, with a source identity"))
}

fn duration(name: &str, longest_s: i32) -> Finding {
    let check = format!("duration {name}");
    let saw = format!("credentials live {longest_s} s at the most");
    if longest_s <= LONGEST_S {
        return Finding::ok(check, saw);
    }
    let why =
        "credentials that were asked for past bg-shell outlive a revocation that nobody asked for";
    Finding::warn(check, saw, why, "set the role's MaxSessionDuration to 3600")
}

/// The action that opens a role.
pub const ASSUME: &str = "sts:AssumeRole";
const LONGEST_S: i32 = 3_600;
const FIX: &str = "use deploy/policies/emergency-trust.json";
