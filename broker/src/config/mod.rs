//! The configuration file. Without one, everything has its practice default.

mod notify;
mod outage;
mod read;
mod role;
mod unusable;

use std::collections::BTreeMap;
use std::time::Duration;

use bg_aws::edge::Reach;
use bg_aws::evidence::EvidenceConfig;
use bg_relay::Secrets;
use serde::Deserialize;

pub use self::notify::{DrillConfig, NotifyConfig, Webhook, WebhookShape};
pub use self::outage::{Extensions, OutageConfig};
pub use self::read::PRACTICE;
pub use self::role::{Delivery, Gate, Mfa, Probe, RoleConfig};
use crate::os::contain::Containment;

/// What a configuration file may say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How AWS is reached.
    pub aws: Reach,
    /// Where evidence goes, and with which keys.
    pub evidence: EvidenceConfig,
    /// The emergency roles, by the names that responders give.
    pub roles: BTreeMap<String, RoleConfig>,
    /// Who is told what.
    pub notify: NotifyConfig,
    /// What a drill must keep.
    pub drill: DrillConfig,
    /// The practice world.
    pub practice: PracticeConfig,
}

/// The `[practice]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PracticeConfig {
    /// What becomes of input typed at a secret prompt.
    pub secrets: Secrets,
    /// How the session's processes are held together; none: a cgroup, or where none can be made a subreaper.
    pub containment: Option<Containment>,
    /// How long a session may last, such as `1h`.
    #[serde(deserialize_with = "read::duration")]
    pub max_duration: Duration,
    /// What a session may do while the evidence store is away.
    pub outage: OutageConfig,
}

impl Default for PracticeConfig {
    fn default() -> Self {
        Self {
            secrets: Secrets::Redact,
            containment: None,
            max_duration: Duration::from_secs(3_600),
            outage: OutageConfig::default(),
        }
    }
}
