//! A claim: an approved request, taken by exactly one session. Whoever holds one may ask for credentials.

use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use serde_json::Value;

use crate::config::RoleConfig;

/// What a session is allowed to do. It exists only where the approvals were valid and nobody else has claimed them.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The session that claimed.
    pub session: SessionId,
    /// The role's name in the configuration.
    pub name: String,
    /// The role.
    pub role: RoleConfig,
    /// The role's session policy, as it was approved.
    pub scope: Option<Vec<u8>>,
    /// The person: a principal of the role's allowed_signers.
    pub person: String,
    /// Why.
    pub reason: String,
    /// For which incident.
    pub incident: Option<String>,
    /// The request's id.
    pub request: String,
    /// The hex SHA-256 of the request's bytes.
    pub request_sha256: String,
    /// When the access ends, unless somebody moves that.
    pub deadline: Stamp,
    /// It is moved no later than this.
    pub latest: Stamp,
    /// Whether it was opened without its approvals.
    pub forced: bool,
    /// When the request was made: time-to-access counts from here.
    pub requested: Stamp,
    /// `about.access` of the genesis (FORMAT.md 5.1).
    pub access: Value,
}
