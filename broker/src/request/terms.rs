//! What a request was made under: the parts of a role's configuration that its approvers relied on, as a digest.

use bg_recorder::chain::Digest;
use bg_recorder::stamp::Stamp;
use serde_json::json;

use crate::config::{Mfa, RoleConfig};
use crate::failure::Failure;

/// Reads a role's session policy, if it has one.
///
/// # Errors
/// When it cannot be read.
pub fn scope(role: &RoleConfig) -> Result<Option<Vec<u8>>, Failure> {
    let read = |path: &std::path::PathBuf| {
        let unreadable = format!("cannot read the session policy {}", path.display());
        std::fs::read(path).map_err(|e| Failure::new(unreadable).because(e))
    };
    role.session_policy.as_ref().map(read).transpose()
}

/// Returns the digest of a role's terms. Who may sign is not among them: that is judged by the file in force when
/// the role is opened. The store is: a claim is unique within one, so an approval is good in one.
pub fn digest(role: &RoleConfig, scope: Option<&[u8]>, store: &str) -> Digest {
    let policy = scope.map(Digest::of);
    let mfa = match &role.mfa {
        Mfa::User { .. } => "user",
        Mfa::Broker { .. } => "broker",
        Mfa::None => "none",
    };
    let mut terms = json!({
        "arn": role.arn, "quorum": role.quorum, "override": role.r#override, "mfa": mfa,
        "approval_expires_s": role.approval_expires.as_secs(),
        "execution_expires_s": role.execution_expires.as_secs(),
        "max_duration_s": role.max_duration.as_secs(),
        "gate": role.gate, "delivery": role.delivery, "secrets": role.secrets, "session_policy": policy,
        "outage": role.outage, "store": store,
    });
    // Where none is named, the digest is what it was before there was a choice.
    if let (Some(containment), Some(terms)) = (role.containment, terms.as_object_mut()) {
        terms.insert("containment".into(), json!(containment));
    }
    Digest::of(terms.to_string().as_bytes())
}

/// Returns how many approvals those are, in words.
pub fn approvals(count: u64) -> String {
    counted(count, "approval")
}

/// Returns how many of something there are, such as `1 segment`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Returns a time as a person reads it, in UTC, to the minute that has begun.
pub fn minute(at: Stamp) -> String {
    format!("{} UTC", at.minute())
}
