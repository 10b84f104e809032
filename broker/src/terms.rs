//! What a request was made under: the parts of a role's configuration that its approvers relied on, as a digest.

use bg_recorder::chain::Digest;
use serde_json::json;

use crate::config::{Mfa, RoleConfig};
use crate::failure::Failure;

/// Returns the digest of a role's terms. Who may sign is not among them: that is judged by the file in force when
/// the role is opened.
///
/// # Errors
/// When the role's session policy cannot be read.
pub fn digest(role: &RoleConfig) -> Result<Digest, Failure> {
    let policy = match &role.session_policy {
        None => None,
        Some(path) => {
            let unreadable = format!("cannot read the session policy {}", path.display());
            Some(Digest::of(&std::fs::read(path).map_err(|e| Failure::new(unreadable).because(e))?))
        }
    };
    let mfa = match &role.mfa {
        Mfa::User { .. } => "user",
        Mfa::Broker { .. } => "broker",
        Mfa::None => "none",
    };
    let terms = json!({
        "arn": role.arn, "quorum": role.quorum, "override": role.r#override, "mfa": mfa,
        "approval_expires_s": role.approval_expires.as_secs(),
        "execution_expires_s": role.execution_expires.as_secs(),
        "max_duration_s": role.max_duration.as_secs(),
        "gate": role.gate, "delivery": role.delivery, "secrets": role.secrets, "session_policy": policy,
        "outage": role.outage,
    });
    Ok(Digest::of(terms.to_string().as_bytes()))
}
