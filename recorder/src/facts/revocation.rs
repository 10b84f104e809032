//! What is known of the end of an access. The seal says it, and the report.

use serde::{Deserialize, Serialize};

use crate::format::stamp::Stamp;

/// How an access ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Revocation {
    /// There were no credentials.
    None {
        /// Why not.
        why: String,
    },
    /// Denied, and proved.
    Revoked {
        /// The action that worked before and is denied now.
        probe: String,
        /// The inline policy that denies.
        policy: String,
        /// Request ids of the Deny, then of each refused probe.
        request_ids: Vec<String>,
        /// When the close-out began.
        began: Stamp,
        /// When the last probe was refused.
        proved: Stamp,
        /// From the one to the other, in milliseconds.
        elapsed_ms: u64,
    },
    /// Not proved: whoever reads this must count the credentials as alive until `dead_by`.
    Pending {
        /// What could not be done.
        why: String,
        /// When they are dead in any case.
        dead_by: Stamp,
    },
    /// Denied, and never probed, because nobody had the credentials any more; they have expired since.
    Expired {
        /// Why it was not probed.
        why: String,
        /// The inline policy that denied, where it could be put in place.
        policy: Option<String>,
        /// When the last of them expired.
        dead_by: Stamp,
        /// When that was written down.
        noted: Stamp,
    },
}

impl Revocation {
    /// Says it as of a time: what is past then is said in the past. What is not proved is not called revoked.
    pub fn as_of(&self, now: Stamp) -> String {
        match self {
            Self::None { why } => format!("nothing to revoke: {why}"),
            Self::Revoked { probe, elapsed_ms, .. } => {
                format!("revoked and proved in {elapsed_ms} ms: {probe} is denied")
            }
            Self::Expired { why, dead_by, .. } => {
                format!("expired by {dead_by}, not proved by a probe: {why}")
            }
            Self::Pending { why, dead_by } if *dead_by <= now => {
                format!("REVOKE PENDING, its credentials ended at {dead_by}: {why}")
            }
            Self::Pending { why, dead_by } => {
                format!("REVOKE PENDING, may live until {dead_by}: {why}")
            }
        }
    }
}
