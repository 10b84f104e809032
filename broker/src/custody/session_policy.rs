//! The session policy: what the role's scope allows, and nothing after the deadline, no chaining, no hand on itself.

use std::path::PathBuf;

use bg_recorder::stamp::Stamp;
use serde_json::{Map, Value, json};

use crate::config::RoleConfig;

/// Returns the policy (compact JSON) that goes with every `sts:AssumeRole` of one session.
///
/// # Errors
/// When the role's scope is no policy, or the whole is too long.
pub fn narrowed(
    role: &RoleConfig,
    scope: Option<&[u8]>,
    deadline: Stamp,
) -> Result<String, PolicyError> {
    let statements = match scope {
        None => vec![json!({"Effect": "Allow", "Action": "*", "Resource": "*"})],
        Some(text) => {
            let path = || role.session_policy.clone().unwrap_or_default();
            parse(text).map_err(|why| PolicyError::NotAPolicy { path: path(), why })?
        }
    };
    let policy = with_denies(statements, &role.arn, deadline);
    let len = policy.chars().count();
    if len > POLICY_MAX { Err(PolicyError::TooLong { len }) } else { Ok(policy) }
}

/// A session policy's implicit denies do not stop a resource policy that names the session: these are explicit.
fn with_denies(mut statements: Vec<Value>, role_arn: &str, deadline: Stamp) -> String {
    statements.extend([
        json!({"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"DateGreaterThan": {"aws:CurrentTime": deadline.seconds()}}}),
        json!({"Effect": "Deny", "Action": "sts:Assume*", "Resource": "*"}),
        json!({"Effect": "Deny", "Action": "iam:*", "Resource": role_arn}),
    ]);
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn parse(text: &[u8]) -> Result<Vec<Value>, NotAPolicy> {
    let policy: Map<String, Value> = serde_json::from_slice(text)?;
    if policy.get("Version").is_some_and(|version| version != "2012-10-17") {
        return Err(NotAPolicy::Version);
    }
    match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => Ok(statements.clone()),
        Some(statement @ Value::Object(_)) => Ok(vec![statement.clone()]),
        _ => Err(NotAPolicy::Empty),
    }
}

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum NotAPolicy {
    /// It is no JSON object.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is in the older language, whose defaults differ.
    #[error("its Version is not 2012-10-17")]
    Version,
    /// It allows nothing and denies nothing.
    #[error("it has no Statement")]
    Empty,
}

/// Why a session has no policy, and so no credentials.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no policy.
    #[error("{path} is not a policy: {why}", path = .path.display())]
    NotAPolicy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: NotAPolicy,
    },
    /// STS takes no more.
    #[error(
        "the session policy has {len} characters, {POLICY_MAX} are the most; {DENIES} are ours"
    )]
    TooLong {
        /// How many it has.
        len: usize,
    },
}

/// The limit of `Policy` in the API reference of AssumeRole.
const POLICY_MAX: usize = 2_048;
/// What the three Denies take, about.
const DENIES: usize = 330;

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/emergency-admin";
    const NOON: Stamp = Stamp(1_795_435_200_900_000);

    fn policy(scope: Option<&str>) -> Result<String, PolicyError> {
        let toml = format!("arn = {ROLE:?}\nallowed_signers = '/x'\nmfa = {{ mode = 'none' }}");
        let role: RoleConfig = toml::from_str(&toml).unwrap();
        narrowed(&role, scope.map(str::as_bytes), NOON)
    }

    fn statements(policy: &str) -> Vec<Value> {
        let value: Value = serde_json::from_str(policy).unwrap();
        value["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn without_a_scope_the_role_itself_is_the_scope_until_the_deadline() {
        let policy = policy(None).unwrap();
        let statements = statements(&policy);
        assert_eq!(statements[0]["Effect"], "Allow");
        assert_eq!(
            statements[1]["Condition"]["DateGreaterThan"]["aws:CurrentTime"],
            "2026-11-23T12:00:00Z"
        );
        assert_eq!(
            statements[2],
            json!({"Effect": "Deny", "Action": "sts:Assume*", "Resource": "*"})
        );
        assert_eq!(statements[3], json!({"Effect": "Deny", "Action": "iam:*", "Resource": ROLE}));
        assert!(!policy.contains(": "), "compact: {policy}");
    }

    #[test]
    fn a_scope_keeps_its_statements_and_gains_the_denies() {
        let list = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}"#;
        let one = r#"{"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}"#;
        for scope in [list, one] {
            let policy = policy(Some(scope)).unwrap();
            assert_eq!(statements(&policy).len(), 4);
            assert_eq!(statements(&policy)[0]["Action"], "s3:Get*");
            assert!(!policy.contains(r#""Action":"*","Effect":"Allow""#));
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"Statement": []}"#,
            r#"{"Version": "2008-10-17", "Statement": [{}]}"#,
        ] {
            assert!(matches!(policy(Some(text)), Err(PolicyError::NotAPolicy { .. })), "{text}");
        }
    }

    #[test]
    fn the_limit_is_checked_before_anything_is_called() {
        let scope = |len: usize| {
            let pad = "x".repeat(len);
            format!(r#"{{"Statement":[{{"Effect":"Allow","Action":"{pad}","Resource":"*"}}]}}"#)
        };
        let base = policy(Some(&scope(0))).unwrap().len();
        let fits = policy(Some(&scope(POLICY_MAX - base)));
        assert_eq!(fits.unwrap().len(), POLICY_MAX);
        let over = policy(Some(&scope(POLICY_MAX - base + 1)));
        assert!(matches!(over, Err(PolicyError::TooLong { len: 2_049 })));
    }
}
