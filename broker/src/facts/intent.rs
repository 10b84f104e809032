//! What the fact says that is written before credentials are asked for: all that is needed to end the access.

use std::time::Duration;

use bg_recorder::facts::case::{Case, Fact, OPEN, PROVED};
use bg_recorder::keys::KeyService;
use bg_recorder::stamp::Stamp;
use serde::Deserialize;

use crate::config::Gate;
use crate::facts::claim::Claim;

/// An access that was about to be opened. It counts as opened: a request that was sent may have been answered.
#[derive(Debug, Clone, Deserialize)]
pub struct Intent {
    /// The role's name in the configuration.
    pub role: String,
    /// The IAM role.
    pub role_arn: String,
    /// Who opened it.
    pub person: String,
    /// How long each of its credentials live, in seconds.
    pub duration_s: u64,
    /// When none are asked for any more.
    pub deadline: Stamp,
    /// The gate that it opened: by now the configuration may have another one.
    pub gate: Option<Gate>,
}

impl Intent {
    /// Reads the fact; none where it says something else.
    pub fn read(fact: &Fact) -> Option<Self> {
        serde_json::from_value(serde_json::Value::Object(fact.says.clone())).ok()
    }

    /// Says what a claim's fact says, where that cannot be read.
    pub fn of(claim: &Claim) -> Self {
        Self {
            role: claim.name.clone(),
            role_arn: claim.role.arn.clone(),
            person: claim.person.clone(),
            duration_s: DURATION_MAX_S,
            deadline: claim.deadline,
            gate: Some(claim.role.gate.clone()),
        }
    }

    /// Returns when the last credentials are dead that were asked for by then, or by the deadline.
    pub fn dead_by(&self, last_asked: Stamp) -> Stamp {
        last_asked.min(self.deadline).after(Duration::from_secs(self.duration_s))
    }
}

/// Returns whether no credentials of a session can be alive by now. Who is not known may be.
pub fn is_dead(case: &Case, keys: &dyn KeyService, now: Stamp) -> bool {
    let Ok(Some(fact)) = case.trusted(keys, OPEN) else { return false };
    let Some(opened) = Intent::read(&fact) else { return false };
    let last_asked = match case.trusted(keys, PROVED) {
        Ok(Some(proved)) => proved.at,
        _ => opened.deadline,
    };
    // What was derived from the credentials, such as a console's session, may outlive them: to the deadline, where
    // the session policy ends it.
    now > opened.dead_by(last_asked).max(opened.deadline).after(MARGIN)
}

/// Clocks differ.
pub const MARGIN: Duration = Duration::from_secs(300);
/// The longest that credentials of a chained role live (IAM user guide).
const DURATION_MAX_S: u64 = 3_600;
