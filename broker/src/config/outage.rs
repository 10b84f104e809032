//! A `[roles.<name>.outage]` or `[practice.outage]` section: what a session may do while its evidence cannot be stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::read;

/// What a session may do while the evidence store is away.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutageConfig {
    /// How long a session goes on without the store.
    #[serde(
        deserialize_with = "read::duration",
        serialize_with = "seconds",
        rename(serialize = "countdown_s")
    )]
    pub countdown: Duration,
    /// How many bytes may wait for the store, such as `1GiB`.
    #[serde(deserialize_with = "read::size")]
    pub spool_max: u64,
    /// At which percentage of that somebody is asked for an end or more time.
    #[serde(deserialize_with = "read::percent")]
    pub ask_at: u64,
    /// Who may give more time.
    pub extensions: Extensions,
    /// Whether a session may begin while the store is away.
    pub start_offline: bool,
    /// Whether a session may begin while KMS is away: signed by the host's standby key, sealed for the escrow key.
    pub start_keyless: bool,
}

impl Default for OutageConfig {
    fn default() -> Self {
        Self {
            countdown: Duration::from_secs(900),
            spool_max: 1 << 30,
            ask_at: 80,
            extensions: Extensions::default(),
            start_offline: false,
            start_keyless: false,
        }
    }
}

/// Who may extend the countdown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Extensions {
    /// Whoever may approve, and did not ask for the session, with a signature.
    #[default]
    Approver,
    /// The responder, too: it is recorded.
    Responder,
    /// Nobody.
    Never,
}

fn seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(duration.as_secs())
}
