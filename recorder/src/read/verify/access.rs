//! Verification of what a genesis says of its approvals (FORMAT.md 5.1).

use serde::Deserialize as _;
use serde_json::Value;

use super::Verifier;
use crate::approval::access::Access;
use crate::approval::quorum::check;
use crate::format::genesis::Genesis;
use crate::read::verdict::Weight;

impl Verifier {
    /// A role is opened by those who may, or the tape is broken.
    pub(super) fn access(&mut self, genesis: &Genesis) {
        let about = |name: &str| genesis.about.get(name).filter(|value| !value.is_null());
        let role = about("role");
        let Some(access) = about("access") else {
            let practice = role.is_none_or(|role| role == PRACTICE);
            return self.demand(practice, "genesis", "a role was opened without access");
        };
        let Ok(access) = Access::deserialize(access) else {
            return self.fault("genesis", None, "access: a member is missing or of the wrong type");
        };
        let named = role.and_then(Value::as_str) == Some(access.role.as_str());
        self.demand(named, "genesis", "access: for another role");
        match check(&access, genesis.session, genesis.created) {
            Err(faults) => {
                for fault in faults {
                    self.fault("genesis", None, &format!("access: {fault}"));
                }
            }
            Ok(approved) => {
                let longest = about("max_duration_s").map_or(Some(0), Value::as_u64);
                let within = longest.is_some_and(|longest| longest <= approved.request.duration_s);
                self.demand(
                    within,
                    "genesis",
                    "access: the session may last longer than was approved",
                );
                let request = &approved.request;
                for (name, approved) in [
                    ("reason", Value::from(request.reason.as_str())),
                    ("person", request.requester.as_str().into()),
                    ("incident", request.incident.as_deref().into()),
                    ("role_arn", request.role_arn.as_str().into()),
                    ("forced", request.forced.into()),
                ] {
                    let shown = genesis.about.get(name).is_none_or(|shown| *shown == approved);
                    let what = format!("access: about.{name} is not what was approved");
                    self.demand(shown, "genesis", &what);
                }
                self.people = approved.people;
                for note in approved.notes {
                    self.found(Weight::Note, "genesis", None, note);
                }
            }
        }
    }
}

const PRACTICE: &str = "practice";
