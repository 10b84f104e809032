//! The Deny of one session: an inline policy on its role that refuses everything to that session and to no other.

use std::time::Duration;

use bg_aws::fault::CallError;
use bg_recorder::session::SessionId;
use serde_json::{Value, json};

/// Inline policies of a role.
pub trait InlinePolicies {
    /// Writes a policy, over one of that name; returns the request id, where one was sent.
    ///
    /// # Errors
    /// When IAM did not do it.
    fn put(&self, role: &str, policy: &str, document: &str) -> Result<Option<String>, CallError>;

    /// Reads a policy, if there is one.
    ///
    /// # Errors
    /// When IAM did not say.
    fn show(&self, role: &str, policy: &str) -> Result<Option<String>, CallError>;
}

/// The inline policies that are on a role, to remove those that nobody needs any more.
pub trait Leftovers {
    /// Lists their names.
    ///
    /// # Errors
    /// When IAM did not say.
    fn list(&self, role: &str) -> Result<Vec<String>, CallError>;

    /// Removes one; one that is gone already is no failure.
    ///
    /// # Errors
    /// When IAM did not do it.
    fn delete(&self, role: &str, policy: &str) -> Result<(), CallError>;
}

/// The Deny of one session on its role.
#[derive(Debug, Clone, Copy)]
pub struct DenyPolicy<'a> {
    /// The role's name in IAM.
    pub role: &'a str,
    pub session: SessionId,
}

impl DenyPolicy<'_> {
    /// Returns the policy's name.
    pub fn name(&self) -> String {
        format!("{NAME}{}", self.session)
    }

    /// Returns the policy. It is the same from every machine, so that a second put changes nothing.
    ///
    /// `aws:userid` is `<role id>:<role session name>`; the name has the session's UUID in it, which no other has,
    /// so the role's id is left open: that holds also where it is not known, and for a role that was made anew.
    pub fn document(&self) -> String {
        let user = format!("*:{}", session_name(self.session));
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "BgShellRevoked", "Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {"StringLike": {"aws:userid": user}},
            }],
        })
        .to_string()
    }

    /// Puts the Deny in place; returns the request id, where one was sent.
    ///
    /// # Errors
    /// When IAM did not do it.
    pub fn put(&self, iam: &dyn InlinePolicies) -> Result<Option<String>, CallError> {
        let mut tries = 1;
        loop {
            match iam.put(self.role, &self.name(), &self.document()) {
                // Somebody else changes the role just now (IAM API reference, ConcurrentModification).
                Err(e)
                    if e.code.as_deref() == Some("ConcurrentModification") && tries < TRIES_MAX =>
                {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                done => return done,
            }
        }
    }

    /// Returns whether exactly this Deny is in place.
    ///
    /// # Errors
    /// When IAM did not say.
    pub fn stands(&self, iam: &dyn InlinePolicies) -> Result<bool, CallError> {
        let shown = iam.show(self.role, &self.name())?;
        let shown = shown.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        Ok(shown.is_some() && shown == serde_json::from_str(&self.document()).ok())
    }
}

/// Removes the Denies of sessions whose credentials are dead in any case, and of no other: IAM takes 10,240
/// characters of inline policies a role. Returns the names of those it removed.
///
/// # Errors
/// When IAM did not do it.
pub fn sweep(
    iam: &dyn Leftovers,
    role: &str,
    dead: impl Fn(SessionId) -> bool,
) -> Result<Vec<String>, CallError> {
    let mut removed = Vec::new();
    for policy in iam.list(role)? {
        let session = policy.strip_prefix(NAME).and_then(|id| id.parse().ok());
        if session.is_some_and(&dead) {
            iam.delete(role, &policy)?;
            removed.push(policy);
        }
    }
    Ok(removed)
}

/// Returns whether a put failed because the role's inline policies are at their limit.
pub fn is_full(error: &CallError) -> bool {
    error.code.as_deref() == Some("LimitExceeded")
}

/// Returns the role session name of a session's credentials.
pub fn session_name(session: SessionId) -> String {
    format!("bg-{session}")
}

/// What the names of our policies begin with.
const NAME: &str = "bg-deny-";
const TRIES_MAX: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use bg_aws::fault::CallKind;

    use super::*;

    /// A role's inline policies with IAM's limit, which the emulators do not have.
    #[derive(Default)]
    struct Role(RefCell<BTreeMap<String, String>>);

    impl InlinePolicies for Role {
        fn put(&self, _: &str, policy: &str, document: &str) -> Result<Option<String>, CallError> {
            let mut policies = self.0.borrow_mut();
            let others = policies.iter().filter(|(name, _)| *name != policy);
            let size: usize = others.map(|(_, text)| text.len()).sum();
            if size + document.len() > 10_240 {
                return Err(CallError {
                    action: "iam:PutRolePolicy",
                    kind: CallKind::Refused,
                    code: Some("LimitExceeded".into()),
                    message: "Maximum policy size of 10240 bytes exceeded".into(),
                    request_id: None,
                });
            }
            policies.insert(policy.to_owned(), document.to_owned());
            Ok(None)
        }

        fn show(&self, _: &str, policy: &str) -> Result<Option<String>, CallError> {
            Ok(self.0.borrow().get(policy).cloned())
        }
    }

    impl Leftovers for Role {
        fn list(&self, _: &str) -> Result<Vec<String>, CallError> {
            Ok(self.0.borrow().keys().cloned().collect())
        }

        fn delete(&self, _: &str, policy: &str) -> Result<(), CallError> {
            self.0.borrow_mut().remove(policy);
            Ok(())
        }
    }

    fn of(session: SessionId) -> DenyPolicy<'static> {
        DenyPolicy { role: "emergency", session }
    }

    #[test]
    fn a_deny_stands_once_it_is_put_and_only_as_it_was_put() {
        let role = Role::default();
        let deny = of(SessionId::mint());
        assert!(!deny.stands(&role).unwrap());
        deny.put(&role).unwrap();
        assert!(deny.stands(&role).unwrap());
        role.0.borrow_mut().insert(deny.name(), deny.document().replace("Deny", "Allow"));
        assert!(!deny.stands(&role).unwrap());
    }

    #[test]
    fn a_full_role_is_swept_of_the_dead_and_of_nobody_else() {
        let role = Role::default();
        role.0.borrow_mut().insert("scope".into(), "{}".into());
        role.0.borrow_mut().insert("bg-deny-by-hand".into(), "{}".into());
        let mut sessions = Vec::new();
        let full = loop {
            let session = SessionId::mint();
            match of(session).put(&role) {
                Ok(_) => sessions.push(session),
                Err(e) => break e,
            }
        };
        assert!(is_full(&full) && sessions.len() >= 40, "{} fit", sessions.len());
        let (dead, alive) = sessions.split_at(sessions.len() / 2);
        let removed = sweep(&role, "emergency", |session| dead.contains(&session)).unwrap();
        assert_eq!(removed.len(), dead.len());
        assert!(alive.iter().all(|session| of(*session).stands(&role).unwrap()));
        assert!(role.list("").unwrap().iter().any(|name| name == "scope"));
        assert!(role.list("").unwrap().iter().any(|name| name == "bg-deny-by-hand"));
        of(SessionId::mint()).put(&role).unwrap();
    }
}
