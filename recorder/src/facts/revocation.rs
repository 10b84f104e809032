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

impl std::fmt::Display for Revocation {
    /// What is not proved is not called revoked.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None { why } => write!(f, "nothing to revoke: {why}"),
            Self::Revoked { probe, elapsed_ms, .. } => {
                write!(f, "revoked and proved in {elapsed_ms} ms: {probe} is denied")
            }
            Self::Expired { why, dead_by, .. } => {
                write!(f, "expired by {dead_by}, not proved by a probe: {why}")
            }
            Self::Pending { why, dead_by } => {
                write!(f, "REVOKE PENDING, may live until {dead_by}: {why}")
            }
        }
    }
}
