//! What a failed call means, in one line: the action, why, the request id, and what to do.

use std::error::Error;
use std::{fmt, io};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId as _;
use bg_recorder::cause::chain;

use crate::renewed::DEAD_KEYS;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The action as policies have it, such as `kms:Sign`.
    pub action: &'static str,
    /// What kind of failure it is.
    pub kind: CallKind,
    /// The service's word for it, such as `AccessDenied`.
    pub code: Option<String>,
    /// Its message, on one line.
    pub message: String,
    /// Its request id, where it answered.
    pub request_id: Option<String>,
}

/// Kinds of failures that are handled differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// A policy says so explicitly.
    ExplicitDeny,
    /// No policy allows it, or the credentials are not right.
    Denied,
    /// The credentials have expired.
    Expired,
    /// Our clock and the server's are too far apart.
    Skewed,
    /// Too many calls.
    Throttled,
    /// What was named is not there.
    Missing,
    /// What was to be made exists.
    Exists,
    /// The key is disabled, pending deletion, or not for this.
    KeyState,
    /// The policies of a session are too large.
    TooLarge,
    /// The bucket is in another region.
    Elsewhere,
    /// Nobody answered, or not in time.
    Unreachable,
    /// Credentials to call with could not be found.
    NoCredentials,
    /// Anything else that the service refused.
    Refused,
}

impl CallError {
    /// Reads what the SDK says of a failed call.
    pub fn new<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().map(ToOwned::to_owned);
        let message = match error {
            SdkError::ServiceError(_) => match error.message() {
                Some(message) => message.to_owned(),
                None => unexplained(error.raw_response()),
            },
            other => chain(other),
        };
        let answered = error.raw_response().is_some();
        // That no credentials were found stands deep inside.
        let all = if answered { message.clone() } else { DisplayErrorContext(error).to_string() };
        let kind = kind(code.as_deref(), &all, answered);
        let request_id = error.request_id().map(ToOwned::to_owned);
        Self { action, kind, code, message: one_line(&message), request_id }
    }

    /// An answer that did not come, or broke off.
    pub fn lost(action: &'static str, why: &str) -> Self {
        Self {
            action,
            kind: CallKind::Unreachable,
            code: None,
            message: one_line(why),
            request_id: None,
        }
    }

    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self.kind {
            // S3 tells only those of a missing object who may list the bucket.
            CallKind::Denied if self.action == "s3:GetObject" && !self.has_dead_keys() => "the calling principal needs s3:GetObject, and s3:ListBucket to be told of what is missing; an operator's bg-shell doctor checks the policies".into(),
            CallKind::Elsewhere => "the bucket is in another region: set region in the [evidence] section".into(),
            CallKind::Denied if self.has_dead_keys() => "AWS does not know the access key any more: renew the profile or process it comes from".into(),
            CallKind::Denied => format!("the calling principal needs {}; an operator's bg-shell doctor checks the policies", self.action),
            CallKind::ExplicitDeny => format!("a policy denies {} explicitly: a boundary, a key policy, or a revocation", self.action),
            CallKind::Expired => "the credentials have expired: refresh the profile or process they come from".into(),
            CallKind::Skewed => "this machine's clock is wrong: check it against a time server (timedatectl, chronyc)".into(),
            CallKind::Throttled => "AWS asks for fewer calls: wait a minute and try again".into(),
            CallKind::Missing => "check the name and the region; an operator's bg-shell doctor checks both".into(),
            CallKind::KeyState => "the KMS key is not usable: enable it, cancel its deletion, or name another".into(),
            CallKind::TooLarge => "make the role's session_policy shorter: policies and tags of a session share 2,048 packed characters".into(),
            CallKind::Unreachable if self.message.contains("certificate") => "the server's certificate is signed by nobody who is trusted here: name your company's certificates with ca in [aws], in AWS_CA_BUNDLE, or with ca_bundle of the profile".into(),
            CallKind::Unreachable => "check the network, the endpoint and the region; an operator's bg-shell doctor checks reachability".into(),
            CallKind::NoCredentials => "name a profile in the [aws] section, or give credentials as the AWS CLI takes them".into(),
            CallKind::Exists | CallKind::Refused => return None,
        })
    }
}

impl CallError {
    /// Returns whether the call's keys are over: they have expired, or were deleted.
    pub fn has_dead_keys(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        DEAD_KEYS.iter().any(|dead| code.starts_with(dead))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.action)?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl Error for CallError {}

/// Codes as the services' API references list them.
fn kind(code: Option<&str>, message: &str, answered: bool) -> CallKind {
    match code.unwrap_or_default() {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthorizationError" => {
            if message.contains("explicit deny") {
                CallKind::ExplicitDeny
            } else {
                CallKind::Denied
            }
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId" => CallKind::Denied,
        "ExpiredToken" | "ExpiredTokenException" => CallKind::Expired,
        "RequestTimeTooSkewed" | "RequestExpired" => CallKind::Skewed,
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "LimitExceededException"
        | "RequestLimitExceeded" => CallKind::Throttled,
        "NoSuchEntity" | "NotFoundException" | "NotFound" | "NoSuchKey" | "NoSuchBucket" => {
            CallKind::Missing
        }
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => CallKind::Elsewhere,
        "EntityAlreadyExists" | "PreconditionFailed" | "ConditionalRequestConflict" => {
            CallKind::Exists
        }
        "DisabledException"
        | "KMSInvalidStateException"
        | "InvalidKeyUsageException"
        | "KeyUnavailableException" => CallKind::KeyState,
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => CallKind::TooLarge,
        _ if !answered && message.contains("credentials") => CallKind::NoCredentials,
        _ if !answered => CallKind::Unreachable,
        _ => CallKind::Refused,
    }
}

/// Returns the hint of the call that failed behind an error, if one did.
pub fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An io::Error shows what it carries in its text, but not among its sources.
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let call = error.downcast_ref::<CallError>();
        if let Some(call) = call.or_else(|| carried.and_then(|carried| carried.downcast_ref())) {
            return call.hint();
        }
        next = error.source();
    }
    None
}

/// Says what came back where AWS would have said why it refuses.
fn unexplained(answer: Option<&HttpResponse>) -> String {
    let Some(answer) = answer else { return "no message".to_owned() };
    let status = answer.status().as_u16();
    match answer.headers().get("content-type") {
        Some(kind) if kind.contains("html") => {
            format!("status {status} and a web page: a proxy or a login page answers, not AWS")
        }
        _ => format!("status {status} without a message"),
    }
}

fn one_line(message: &str) -> String {
    let flat: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.chars().take(MESSAGE_MAX).collect()
}

const MESSAGE_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use bg_recorder::store::StoreError;

    use super::*;

    fn failed(kind: CallKind) -> CallError {
        CallError {
            action: "s3:PutObject",
            kind,
            code: None,
            message: "no".into(),
            request_id: None,
        }
    }

    #[test]
    fn a_hint_is_found_however_deep_the_call_is() {
        let hint_of = |error: &(dyn Error + 'static)| hint(error);
        let call = failed(CallKind::Denied);
        let expected = call.hint();
        assert!(expected.as_ref().is_some_and(|hint| hint.contains("s3:PutObject")));
        let io = io::Error::other(call);
        assert_eq!(hint_of(&io), expected);
        let store = StoreError::Failed { verb: "store", key: "k".into(), source: io };
        assert_eq!(hint_of(&store), expected);
        assert_eq!(hint_of(&io::Error::other("no call")), None);
    }

    #[test]
    fn a_certificate_that_nobody_trusts_has_a_hint_of_its_own() {
        let call = CallError::lost("kms:Sign", "invalid peer certificate: UnknownIssuer");
        assert!(call.hint().is_some_and(|hint| hint.contains("ca in [aws]")));
        let call = CallError::lost("kms:Sign", "no route to host");
        assert!(call.hint().is_some_and(|hint| !hint.contains("certificate")));
    }

    #[test]
    fn codes_are_told_apart() {
        let known = [
            ("AccessDenied", CallKind::Denied),
            ("ExpiredToken", CallKind::Expired),
            ("PermanentRedirect", CallKind::Elsewhere),
            ("AuthorizationHeaderMalformed", CallKind::Elsewhere),
            ("SlowDown", CallKind::Throttled),
            ("NoSuchBucket", CallKind::Missing),
            ("DisabledException", CallKind::KeyState),
            ("KMSInvalidStateException", CallKind::KeyState),
            ("SomethingNew", CallKind::Refused),
        ];
        for (code, expected) in known {
            assert_eq!(kind(Some(code), "", true), expected, "{code}");
        }
        assert_eq!(
            kind(Some("AccessDenied"), "with an explicit deny in", true),
            CallKind::ExplicitDeny
        );
        assert_eq!(kind(None, "no route", false), CallKind::Unreachable);
        assert_eq!(kind(None, "no providers gave credentials", false), CallKind::NoCredentials);
    }

    #[test]
    fn an_error_is_one_line() {
        let call = CallError::lost("kms:Sign", "broken\r\noff\x1b[2J");
        assert_eq!(call.to_string(), "kms:Sign: broken  off [2J");
    }
}
