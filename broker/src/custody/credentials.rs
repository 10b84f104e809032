//! A session's credentials: who issues them, what is asked for, what is known of those that were issued.

use std::fmt;

use aws_credential_types::Credentials;
use bg_aws::fault::CallError;
use bg_recorder::stamp::Stamp;

use crate::custody::session_policy::{self, PolicyError};
use crate::facts::claim::Claim;
use crate::mfa::Code;

/// Who issues credentials. It shows them to nobody, and keeps none but its own.
pub trait CredentialSource: Send {
    /// Proves the second factor: what is assumed afterwards is assumed with it. Returns the request id.
    ///
    /// # Errors
    /// When the code is not right, or nobody answered.
    fn prove_mfa(
        &mut self,
        serial: &str,
        code: &Code,
        duration_s: u32,
    ) -> Result<Option<String>, CallError>;

    /// Assumes the role.
    ///
    /// # Errors
    /// When it may not, or nobody answered: the credentials may have been issued all the same.
    fn assume(&self, wanted: &Wanted) -> Result<Issued, NotIssued>;
}

/// Why there are no credentials here.
#[derive(Debug)]
pub struct NotIssued {
    /// What the last attempt said.
    pub call: CallError,
    /// Whether there are none anywhere else: each attempt was refused, and no answer was lost.
    pub certain: bool,
}

/// What an `sts:AssumeRole` of one session says, every time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The role.
    pub role_arn: String,
    /// `bg-<session id>`.
    pub session_name: String,
    /// The person, in the characters that a source identity may have.
    pub source_identity: String,
    /// Session tags, all of them transitive.
    pub tags: Vec<(&'static str, String)>,
    /// The session policy.
    pub policy: String,
    /// How long the credentials live.
    pub duration_s: u32,
}

impl Wanted {
    /// Returns what a claim allows to ask for.
    ///
    /// # Errors
    /// When the role's session policy cannot be used.
    pub fn of(claim: &Claim) -> Result<Self, PolicyError> {
        let tags = [
            Some(("bg:session", claim.session.to_string())),
            Some(("bg:request", claim.request.clone())),
            claim.incident.clone().map(|incident| ("bg:incident", incident)),
        ];
        let tags = tags.into_iter().flatten().map(|(key, value)| (key, tag_value(&value)));
        Ok(Self {
            role_arn: claim.role.arn.clone(),
            session_name: session_name(claim),
            source_identity: source_identity(&claim.person),
            tags: if claim.role.session_tags { tags.collect() } else { Vec::new() },
            policy: session_policy::narrowed(&claim.role, claim.scope.as_deref(), claim.deadline)?,
            duration_s: DURATION_S,
        })
    }
}

/// Credentials that were issued. They are zeroed when the last copy is dropped, and print nothing secret.
pub struct Issued {
    /// The access key id, as CloudTrail has it.
    pub access_key_id: String,
    /// `AROA…:bg-<session id>`, which is `aws:userid` of every call.
    pub assumed_role_id: String,
    /// When they die.
    pub expires: Stamp,
    /// The request id of the AssumeRole.
    pub request_id: Option<String>,
    credentials: Credentials,
}

impl Issued {
    /// Takes what a source issued.
    pub fn new(
        credentials: Credentials,
        assumed_role_id: String,
        expires: Stamp,
        request_id: Option<String>,
    ) -> Self {
        let access_key_id = credentials.access_key_id().to_owned();
        Self { access_key_id, assumed_role_id, expires, request_id, credentials }
    }

    /// Lends the credentials. Copies share one memory.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issued({}, {})", self.access_key_id, self.expires)
    }
}

/// Returns the name that the session has in AWS.
pub fn session_name(claim: &Claim) -> String {
    format!("bg-{}", claim.session)
}

/// Returns a person as a source identity: 2 to 64 of `[\w+=,.@-]`, what else there is turned into `-`.
pub fn source_identity(person: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let mut identity: String =
        person.chars().map(|c| if allowed(c) { c } else { '-' }).take(IDENTITY_MAX).collect();
    while identity.len() < 2 {
        identity.push('-');
    }
    identity
}

/// Returns a text as the value of a session tag: at most 256 letters, digits, spaces and `_.:/=+-@`.
fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { '-' }).take(TAG_MAX).collect()
}

/// The shortest life that STS gives, whatever the session's deadline: they are refreshed while it is ahead.
const DURATION_S: u32 = 900;
const IDENTITY_MAX: usize = 64;
const TAG_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_identity_has_allowed_characters_only_and_the_right_length() {
        assert_eq!(source_identity("alice@example.com"), "alice@example.com");
        assert_eq!(source_identity("J\u{f6}rg M/*"), "J-rg-M--");
        assert_eq!(source_identity("a"), "a-");
        assert_eq!(source_identity(""), "--");
        assert_eq!(source_identity(&"x".repeat(100)).len(), 64);
    }

    fn claim(role: &str) -> Claim {
        let toml = format!(
            "arn = 'arn:aws:iam::1:role/r'\nallowed_signers = '/x'\n{role}\nmfa = {{ mode = 'none' }}"
        );
        Claim {
            session: bg_recorder::session::SessionId::mint(),
            name: "prod".into(),
            role: toml::from_str(&toml).unwrap(),
            scope: None,
            person: "alice@example.com".into(),
            reason: "disk full".into(),
            incident: Some("INC #7".into()),
            request: "a-request".into(),
            request_sha256: String::new(),
            deadline: Stamp(1_795_435_200_000_000),
            latest: Stamp(1_795_435_200_000_000),
            forced: false,
            requested: Stamp(0),
            access: serde_json::Value::Null,
        }
    }

    #[test]
    fn what_is_asked_for_names_the_session_and_is_tagged_unless_the_role_says_otherwise() {
        let tagged = claim("");
        let wanted = Wanted::of(&tagged).unwrap();
        assert_eq!(wanted.session_name, format!("bg-{}", tagged.session));
        assert!(wanted.session_name.len() <= 64);
        assert_eq!(wanted.tags[0], ("bg:session", tagged.session.to_string()));
        assert_eq!(wanted.tags[2], ("bg:incident", "INC -7".into()));
        assert!(wanted.policy.contains("2026-11-23T12:00:00Z"));
        assert_eq!(Wanted::of(&claim("session_tags = false")).unwrap().tags, []);
    }

    #[test]
    fn a_tag_value_has_allowed_characters_only() {
        assert_eq!(tag_value("INC-7: disk \"full\"\n"), "INC-7: disk -full--");
        assert_eq!(tag_value(&"x".repeat(300)).len(), 256);
    }

    #[test]
    fn issued_credentials_print_no_secret() {
        let credentials = Credentials::new("ASIA1", "SECRET", Some("TOKEN".into()), None, "test");
        let text = format!("{:?}", Issued::new(credentials, "AROA1:bg-1".into(), Stamp(0), None));
        assert!(
            text.contains("ASIA1") && !text.contains("SECRET") && !text.contains("TOKEN"),
            "{text}"
        );
    }
}
