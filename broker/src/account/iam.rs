//! IAM: a role's inline policies, its attached policy, its trust. Nothing here decides anything.

use aws_sdk_iam::Client;
use aws_sdk_iam::config::Builder;
use aws_sdk_iam::operation::RequestId;
use bg_aws::edge::Edge;
use bg_aws::fault::{CallError, CallKind};

use crate::account::deny_policy::{InlinePolicies, Leftovers};
use crate::account::hinge::Hinge;

/// IAM, as one principal.
#[derive(Debug)]
pub struct Iam {
    client: Client,
    edge: Edge,
}

impl Iam {
    /// Takes a way to AWS. No call is made yet.
    pub fn new(edge: &Edge) -> Self {
        let config = Builder::from(edge.sdk())
            .interceptor(edge.journal())
            .retry_classifier(edge.renewed())
            .build();
        Self { client: Client::from_conf(config), edge: edge.clone() }
    }
}

impl InlinePolicies for Iam {
    fn put(&self, role: &str, policy: &str, document: &str) -> Result<Option<String>, CallError> {
        let call = self.client.put_role_policy().role_name(role).policy_name(policy);
        let done = self.edge.wait(call.policy_document(document).send());
        done.map(|done| id(&done)).map_err(|e| CallError::new("iam:PutRolePolicy", &e))
    }

    fn show(&self, role: &str, policy: &str) -> Result<Option<String>, CallError> {
        let call = self.client.get_role_policy().role_name(role).policy_name(policy);
        match self.edge.wait(call.send()) {
            Ok(shown) => Ok(Some(percent_decoded(shown.policy_document()))),
            Err(e) => absent(CallError::new("iam:GetRolePolicy", &e)).map(|()| None),
        }
    }
}

impl Leftovers for Iam {
    fn list(&self, role: &str) -> Result<Vec<String>, CallError> {
        let pages =
            self.client.list_role_policies().role_name(role).into_paginator().items().send();
        let listed = self.edge.wait(pages.collect::<Result<Vec<_>, _>>());
        listed.map_err(|e| CallError::new("iam:ListRolePolicies", &e))
    }

    fn delete(&self, role: &str, policy: &str) -> Result<(), CallError> {
        let call = self.client.delete_role_policy().role_name(role).policy_name(policy);
        match self.edge.wait(call.send()) {
            Ok(_) => Ok(()),
            Err(e) => absent(CallError::new("iam:DeleteRolePolicy", &e)),
        }
    }
}

/// A managed policy that is attached to a role while the gate is open.
pub struct Attachment {
    /// As whom.
    pub iam: Iam,
    /// The role's name.
    pub role: String,
    /// The policy's ARN.
    pub policy: String,
}

impl Hinge for Attachment {
    fn open(&self) -> Result<(), CallError> {
        let call =
            self.iam.client.attach_role_policy().role_name(&self.role).policy_arn(&self.policy);
        let done = self.iam.edge.wait(call.send());
        done.map(drop).map_err(|e| CallError::new("iam:AttachRolePolicy", &e))
    }

    fn shut(&self) -> Result<(), CallError> {
        let call =
            self.iam.client.detach_role_policy().role_name(&self.role).policy_arn(&self.policy);
        match self.iam.edge.wait(call.send()) {
            Ok(_) => Ok(()),
            Err(e) => absent(CallError::new("iam:DetachRolePolicy", &e)),
        }
    }
}

/// The trust policy of a role, one while the gate is open and another one while it is closed.
pub struct Trust {
    /// As whom.
    pub iam: Iam,
    /// The role's name.
    pub role: String,
    /// The trust policy while it is open.
    pub open: String,
    /// The trust policy while it is closed.
    pub closed: String,
}

impl Trust {
    fn set(&self, document: &str) -> Result<(), CallError> {
        let call = self.iam.client.update_assume_role_policy().role_name(&self.role);
        let done = self.iam.edge.wait(call.policy_document(document).send());
        done.map(drop).map_err(|e| CallError::new("iam:UpdateAssumeRolePolicy", &e))
    }
}

impl Hinge for Trust {
    fn open(&self) -> Result<(), CallError> {
        self.set(&self.open)
    }

    fn shut(&self) -> Result<(), CallError> {
        self.set(&self.closed)
    }
}

/// What is to be gone and is gone already is no failure.
fn absent(error: CallError) -> Result<(), CallError> {
    if error.kind == CallKind::Missing { Ok(()) } else { Err(error) }
}

fn id(done: &impl RequestId) -> Option<String> {
    done.request_id().map(ToOwned::to_owned)
}

/// IAM returns policies percent-encoded (RFC 3986). What is no escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = escape.and_then(|hex| std::str::from_utf8(hex).ok());
        match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_come_percent_encoded() {
        assert_eq!(
            percent_decoded("%7B%22Version%22%3A%20%222012-10-17%22%7D"),
            r#"{"Version": "2012-10-17"}"#
        );
        assert_eq!(percent_decoded(r#"{"a": "50%", "b": "%zz"}"#), r#"{"a": "50%", "b": "%zz"}"#);
    }
}
