//! STS: temporary credentials, with the second factor, for one role and one session.

use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::Builder;
use aws_sdk_sts::operation::RequestId as _;
use aws_sdk_sts::types::Tag;
use bg_aws::attempts::Attempts;
use bg_aws::edge::Edge;
use bg_aws::fault::{CallError, CallKind};
use bg_recorder::stamp::Stamp;

use crate::custody::credentials::{CredentialSource, Issued, NotIssued, Wanted};
use crate::mfa::Code;

/// STS as one principal calls it.
pub struct Sts {
    edge: Edge,
}

impl Sts {
    /// Calls it with an edge's credentials.
    pub fn new(edge: Edge) -> Self {
        Self { edge }
    }

    fn client(&self) -> Client {
        Client::from_conf(
            Builder::from(self.edge.sdk())
                .interceptor(self.edge.journal())
                .retry_classifier(self.edge.renewed())
                .build(),
        )
    }
}

impl CredentialSource for Sts {
    fn prove_mfa(
        &mut self,
        serial: &str,
        code: &Code,
        duration_s: u32,
    ) -> Result<Option<String>, CallError> {
        let call = self
            .client()
            .get_session_token()
            .serial_number(serial)
            .token_code(code.digits())
            .duration_seconds(seconds(duration_s));
        let answer = self.edge.wait(call.send()).map_err(|e| CallError::new(SESSION_TOKEN, &e))?;
        let credentials = answer.credentials().ok_or_else(|| empty(SESSION_TOKEN))?;
        self.edge = self.edge.with_credentials(taken(credentials));
        Ok(answer.request_id().map(ToOwned::to_owned))
    }

    fn assume(&self, wanted: &Wanted) -> Result<Issued, NotIssued> {
        let tags =
            wanted.tags.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build());
        let tags: Result<Vec<Tag>, _> = tags.collect();
        let keys: Vec<String> = wanted.tags.iter().map(|(key, _)| (*key).to_owned()).collect();
        let some = !keys.is_empty();
        let call = self
            .client()
            .assume_role()
            .role_arn(&wanted.role_arn)
            .role_session_name(&wanted.session_name)
            .source_identity(&wanted.source_identity)
            .set_tags(tags.ok().filter(|_| some))
            .set_transitive_tag_keys(Some(keys).filter(|_| some))
            .policy(&wanted.policy)
            .duration_seconds(seconds(wanted.duration_s));
        let attempts = Attempts::default();
        let sent = self.edge.wait(call.customize().interceptor(attempts.clone()).send());
        let failed = |call| NotIssued { call, certain: attempts.all_refused() };
        let answer = sent.map_err(|e| failed(CallError::new(ASSUME_ROLE, &e)))?;
        let (Some(credentials), Some(user)) = (answer.credentials(), answer.assumed_role_user())
        else {
            return Err(failed(empty(ASSUME_ROLE)));
        };
        let expires = Stamp(
            u64::try_from(credentials.expiration().secs()).unwrap_or(0).saturating_mul(1_000_000),
        );
        let request_id = answer.request_id().map(ToOwned::to_owned);
        Ok(Issued::new(taken(credentials), user.assumed_role_id().to_owned(), expires, request_id))
    }
}

fn taken(issued: &aws_sdk_sts::types::Credentials) -> Credentials {
    Credentials::new(
        issued.access_key_id(),
        issued.secret_access_key(),
        Some(issued.session_token().to_owned()),
        None,
        "bg-shell",
    )
}

fn empty(action: &'static str) -> CallError {
    CallError {
        action,
        kind: CallKind::Refused,
        code: None,
        message: "the answer has no credentials".into(),
        request_id: None,
    }
}

fn seconds(duration_s: u32) -> i32 {
    i32::try_from(duration_s).unwrap_or(i32::MAX)
}

const SESSION_TOKEN: &str = "sts:GetSessionToken";
const ASSUME_ROLE: &str = "sts:AssumeRole";
