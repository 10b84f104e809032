//! The report: every part says which fact or which object of the tape it comes from. Its JSON is stable
//! (docs/REPORT.md): members are added, never changed.

use bg_recorder::facts::revocation::Revocation;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::verdict::{Finding, Verdict};
use bg_relay::tap::{Exposure, Typed};
use serde::{Serialize, Serializer};

/// All that is known of one session.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    pub session: SessionId,
    /// When this was written.
    pub made: Stamp,
    /// By whom: `user@host`.
    pub by: String,
    pub who: Who,
    pub why: Why,
    /// What was opened.
    pub access: AccessOpened,
    /// Who allowed it.
    pub approvals: Approvals,
    /// How long things took.
    pub times: Times,
    /// How the session ended.
    pub ended: SessionEnd,
    /// How the access ended.
    pub revocation: AccessEnd,
    pub tape: Recorded,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// What was typed.
    pub commands: Commands,
    /// Secrets that could be seen.
    pub exposures: Exposures,
    /// What a person still has to do.
    pub to_do: Vec<ToDo>,
    /// Objects in the place of facts whose signature does not hold: nothing of them is used here.
    pub untrusted: Vec<String>,
}

/// What a person still has to do, and the command that does it, or shows more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToDo {
    pub what: String,
    pub command: Option<String>,
}

impl std::fmt::Display for ToDo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.command {
            Some(command) => write!(f, "{}: {command}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Serialize for ToDo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something that is known, and what says so.
#[derive(Debug, Clone, Serialize)]
pub struct Known<T = String> {
    /// What.
    pub value: T,
    /// Which fact, or which object of the tape: `fact open`, `tape genesis`.
    pub source: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Who {
    /// The person, as approvers know them.
    pub person: Option<Known>,
    /// The user of the recording host.
    pub user: Option<Known>,
    /// The recording host.
    pub host: Option<Known>,
    /// What was run.
    pub command: Option<Known>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Why {
    /// The reason that was given.
    pub reason: Option<Known>,
    pub incident: Option<Known>,
}

/// What was opened.
#[derive(Debug, Clone, Serialize)]
pub struct AccessOpened {
    /// The role's name in the configuration.
    pub role: Option<Known>,
    /// The IAM role.
    pub role_arn: Option<Known>,
    /// How the session had its credentials.
    pub custody: Option<Known>,
    /// Who checked the second factor: `aws`, `broker-attested`, `none`.
    pub mfa: Option<Known>,
    pub request: Option<Known>,
    /// Whether it was opened without its approvals.
    pub forced: Known<bool>,
    /// When it had to end.
    pub deadline: Option<Known>,
    /// The first access key id that was issued.
    pub access_key_id: Option<Known>,
    /// The role and session, as `aws:userid` has it.
    pub assumed_role_id: Option<Known>,
}

/// Who allowed it.
#[derive(Debug, Clone, Serialize)]
pub struct Approvals {
    /// How many people had to approve.
    pub quorum: Option<u64>,
    /// Who did.
    pub given: Vec<Approval>,
    /// `valid`, `invalid`, `none` or `unknown`: what verification of the tape says of them.
    pub verdict: &'static str,
    /// Whose signatures the access rests on, and with which keys.
    pub signers: Vec<Signer>,
    /// Whether the allowed_signers on the tape are those that are configured here; unknown where none are.
    pub same_signers: Option<bool>,
    /// Whether the request was made under the terms that are configured here; unknown where none are.
    pub same_terms: Option<bool>,
    /// What says so.
    pub source: Option<String>,
}

impl Approvals {
    /// Nobody's.
    pub fn none() -> Self {
        Self {
            quorum: None,
            given: Vec::new(),
            verdict: "none",
            signers: Vec::new(),
            same_signers: None,
            same_terms: None,
            source: None,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Approval {
    /// Who.
    pub person: String,
    /// When.
    pub made: Option<String>,
    /// Until when it held.
    pub expires: Option<String>,
}

/// Somebody who signed.
#[derive(Debug, Clone, Serialize)]
pub struct Signer {
    /// What: `request`, `approval` or `claim`.
    pub signed: &'static str,
    /// Who.
    pub person: String,
    /// With which key: its fingerprint, as ssh-keygen prints it.
    pub key: String,
    /// Whether the allowed_signers that are configured here list the key for the name; unknown where none are.
    pub known: Option<bool>,
}

/// How long things took.
#[derive(Debug, Clone, Serialize)]
pub struct Times {
    /// From the request to the prompt, in milliseconds.
    pub to_access_ms: Option<Known<u64>>,
    /// From the end to the proof that the access is denied, in milliseconds.
    pub to_revoke_ms: Option<Known<u64>>,
}

/// How the session ended.
#[derive(Debug, Clone, Serialize)]
pub struct SessionEnd {
    /// In a word: `exit`, `deadline`, `hangup`, `recovered`, `unknown` ….
    pub how: String,
    /// More of it.
    pub detail: Option<String>,
    /// Its exit status.
    pub exit: Option<i64>,
    /// When.
    pub at: Option<Stamp>,
    /// What says so.
    pub source: Option<String>,
}

/// How the access ended.
#[derive(Debug, Clone, Serialize)]
pub struct AccessEnd {
    /// What is known.
    pub outcome: Option<Revocation>,
    /// The gate's state.
    pub gate: Option<String>,
    /// In one sentence.
    pub text: String,
    /// What says so.
    pub source: Option<String>,
}

/// The tape.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// What verification says.
    pub verdict: Verdict,
    /// Whole frames.
    pub frames: u64,
    pub segments: u64,
    /// Everything that was found.
    pub findings: Vec<Finding>,
    /// From its beginning to its last event, in milliseconds.
    pub lasted_ms: Option<Known<u64>>,
    /// When that was.
    pub last_event: Option<Known<Stamp>>,
    /// Where it is.
    pub source: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moment {
    /// When.
    pub at: Stamp,
    pub what: String,
    /// Which fact, or which object of the tape, says so.
    pub source: String,
}

/// What was typed.
#[derive(Debug, Clone, Serialize)]
pub struct Commands {
    /// Whether that is known outside of the sealed tape.
    pub known: bool,
    /// What to think of it.
    pub note: &'static str,
    pub lines: Vec<Typed>,
    /// How many more there were.
    pub more: u64,
    /// What says so.
    pub source: Option<String>,
}

/// Secrets that could be seen.
#[derive(Debug, Clone, Serialize)]
pub struct Exposures {
    /// Whether that is known outside of the sealed tape.
    pub known: bool,
    /// What to think of it.
    pub note: &'static str,
    /// Each.
    pub found: Vec<Exposed>,
    /// How many more there were.
    pub more: u64,
    /// What says so.
    pub source: Option<String>,
}

/// One secret that could be seen.
#[derive(Debug, Clone, Serialize)]
pub struct Exposed {
    /// What and where.
    #[serde(flatten)]
    pub exposure: Exposure,
    /// What makes it worthless: command lines, or a sentence behind `#`.
    pub rotate: Vec<String>,
    /// When the key was deactivated, if a fact says so.
    pub deactivated: Option<Stamp>,
    /// Whether it is of this session's own credentials, which its close-out denies.
    pub own: bool,
}

/// The form of the JSON.
pub const SCHEMA: &str = "bg-shell.dev/report/v1";
