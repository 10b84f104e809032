//! How a request stands: derived from its facts, never stored.

use std::fmt;

use serde::Serialize;

/// The one word for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Standing {
    /// It waits for approvals.
    Requested,
    /// It can be used.
    Approved,
    /// Somebody denied it.
    Denied,
    /// Its requester withdrew it.
    Cancelled,
    /// Its time was over before it was approved, or before it was used.
    Expired,
    /// A session took it.
    Claimed,
}

impl Standing {
    /// Returns whether it can still change by a decision.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Approved)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Requested => "REQUESTED",
            Self::Approved => "APPROVED",
            Self::Denied => "DENIED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::Claimed => "CLAIMED",
        })
    }
}
