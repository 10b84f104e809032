//! A `[roles.<name>]` section: an emergency role, who may approve it, and how an access to it is opened and closed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bg_relay::Secrets;
use serde::{Deserialize, Serialize};

use super::unusable::Unusable;
use super::{OutageConfig, read};
use crate::os::contain::Containment;

/// An emergency role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    /// The IAM role that is assumed.
    pub arn: String,
    /// An OpenSSH `allowed_signers` file: who may request and approve, with which keys.
    pub allowed_signers: PathBuf,
    /// How many people other than the requester must approve.
    #[serde(default = "one")]
    pub quorum: u32,
    /// How long a request waits for its approvals.
    #[serde(default = "four_hours", deserialize_with = "read::duration")]
    pub approval_expires: Duration,
    /// How long an approved request waits to be used.
    #[serde(default = "half_an_hour", deserialize_with = "read::duration")]
    pub execution_expires: Duration,
    /// Whether the role can be opened without approvals, loudly and with a reason.
    #[serde(default)]
    pub r#override: bool,
    /// Whether an override waits until one receiver of `[notify]` has taken its alarm, and does not open without.
    #[serde(default)]
    pub override_needs_delivery: bool,
    /// How long a session may last.
    #[serde(default = "one_hour", deserialize_with = "read::duration")]
    pub max_duration: Duration,
    /// What becomes of input typed at a secret prompt.
    #[serde(default = "redact")]
    pub secrets: Secrets,
    /// How the session's processes are held together; none: a cgroup, or where none can be made a subreaper.
    pub containment: Option<Containment>,
    /// A session policy (JSON) that narrows the role; Denies after the deadline and of chaining are added to it.
    pub session_policy: Option<PathBuf>,
    /// Whose credentials call sts:AssumeRole, and deny and gate: AWS profiles.
    #[serde(default)]
    pub profiles: Profiles,
    /// Multi-factor authentication.
    pub mfa: Mfa,
    /// What else stands between the request and the role.
    #[serde(default)]
    pub gate: Gate,
    /// The read-only call that works while the access lives, and must be denied when it is closed.
    #[serde(default = "list_buckets")]
    pub probe: Probe,
    /// How long a close-out waits until the probe is denied. IAM takes seconds, and says it may take minutes.
    #[serde(default = "one_minute", deserialize_with = "read::duration")]
    pub proof_patience: Duration,
    /// How long an access that was just opened may still be refused: IAM takes seconds to tell all of its machines.
    #[serde(default = "twenty_seconds", deserialize_with = "read::duration")]
    pub gate_patience: Duration,
    /// How the session gets its credentials.
    #[serde(default)]
    pub delivery: Delivery,
    /// Whether sessions are tagged with their id, request and incident: the trust policy must allow sts:TagSession.
    #[serde(default = "yes")]
    pub session_tags: bool,
    /// What a session may do while the evidence store is away.
    #[serde(default)]
    pub outage: OutageConfig,
}

/// AWS profiles, by what they do. None: that of `[aws]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profiles {
    /// Calls sts:GetSessionToken and sts:AssumeRole: the emergency user, or the broker's role.
    pub source: Option<String>,
    /// Opens and closes the gate.
    pub activator: Option<String>,
    /// Denies sessions. Best another principal than the activator: who activates cannot un-revoke.
    pub revoker: Option<String>,
}

/// How the second factor is checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum Mfa {
    /// By AWS: the code goes with sts:GetSessionToken of an IAM user, and the role's trust policy demands it.
    User {
        /// The ARN of the user's MFA device.
        serial: String,
    },
    /// By the broker: the tape says `mfa: broker-attested`.
    Broker {
        /// A directory with one file per person, named as in allowed_signers: the TOTP secret in base32.
        secrets: PathBuf,
    },
    /// Not at all. For roles that can do no harm, such as a drill's.
    None,
}

/// The activation gate.
#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Gate {
    /// None: STS alone, which is regional and needs no control plane.
    #[default]
    None,
    /// A managed policy is attached to the role while anybody uses it.
    Attach {
        /// The policy's ARN.
        policy: String,
    },
    /// The role trusts its source while anybody uses it.
    Trust {
        /// The trust policy (JSON) while it is open.
        open: PathBuf,
        /// The trust policy (JSON) while it is closed.
        closed: PathBuf,
    },
}

/// Calls that read, need no argument, and that a policy can deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Probe {
    /// s3:ListAllMyBuckets
    #[serde(rename = "s3:ListAllMyBuckets")]
    ListBuckets,
    /// iam:ListAccountAliases
    #[serde(rename = "iam:ListAccountAliases")]
    ListAccountAliases,
    /// sns:ListTopics
    #[serde(rename = "sns:ListTopics")]
    ListTopics,
}

/// How a session gets its credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// The loopback container-credentials endpoint; the tape says `custody: exported`.
    #[default]
    Container,
}

impl RoleConfig {
    /// Returns the role's name in IAM.
    pub fn role_name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }

    /// Returns the files that decide what the role gives, and to whom.
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        let mut files = vec![("allowed_signers", self.allowed_signers.as_path())];
        files.extend(self.session_policy.as_deref().map(|path| ("session_policy", path)));
        if let Mfa::Broker { secrets } = &self.mfa {
            files.push(("mfa.secrets", secrets));
        }
        if let Gate::Trust { open, closed } = &self.gate {
            files.extend([("gate.open", open.as_path()), ("gate.closed", closed.as_path())]);
        }
        files
    }

    pub(super) fn check(&self, name: &str) -> Result<(), Unusable> {
        let name = || name.to_owned();
        let mut parts = self.arn.splitn(6, ':');
        let named = parts.next() == Some("arn") && parts.nth(1) == Some("iam");
        if !named || !self.arn.contains(":role/") {
            return Err(Unusable::NotARole { name: name(), arn: self.arn.clone() });
        }
        for (what, path) in self.files() {
            if path.is_relative() {
                return Err(Unusable::Relative { name: name(), what, path: path.to_owned() });
            }
        }
        if self.quorum == 0 && !self.r#override && !matches!(self.mfa, Mfa::None) {
            return Err(Unusable::MfaWithoutQuorum(name()));
        }
        if self.outage.start_offline {
            return Err(Unusable::Offline(name()));
        }
        if self.max_duration > TWELVE_HOURS {
            return Err(Unusable::TooLong(name()));
        }
        Ok(())
    }
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

fn four_hours() -> Duration {
    Duration::from_secs(4 * 3_600)
}

fn half_an_hour() -> Duration {
    Duration::from_secs(1_800)
}

fn one_minute() -> Duration {
    Duration::from_secs(60)
}

fn twenty_seconds() -> Duration {
    Duration::from_secs(20)
}

fn one_hour() -> Duration {
    Duration::from_secs(3_600)
}

fn redact() -> Secrets {
    Secrets::Redact
}

fn list_buckets() -> Probe {
    Probe::ListBuckets
}

const TWELVE_HOURS: Duration = Duration::from_secs(12 * 3_600);
