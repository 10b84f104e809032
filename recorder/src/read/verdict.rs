//! What a verification found (FORMAT.md 12).

use serde::Serialize;

use crate::approval::quorum::Signatory;
use crate::format::chain::Digest;
use crate::format::session::SessionId;

/// The one word for a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Sealed, whole, signed by who is trusted.
    Intact,
    /// Not sealed yet, and heard of just now.
    Live,
    /// Not sealed, and not heard of.
    Unfinished,
    /// The recorder died; what it had accepted is there and signed for.
    Recovered,
    /// Something is not as the format says.
    Broken,
    /// Something needed could not be looked at.
    Unverifiable,
}

impl Verdict {
    /// Returns the exit code of a program that says this.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Intact => 0,
            Self::Broken => 1,
            Self::Unverifiable => 2,
            Self::Live | Self::Unfinished | Self::Recovered => 3,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Intact => "intact",
            Self::Live => "live",
            Self::Unfinished => "unfinished",
            Self::Recovered => "recovered",
            Self::Broken => "broken",
            Self::Unverifiable => "unverifiable",
        })
    }
}

/// How much a finding weighs, the least first; its word in JSON is the finding's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Weight {
    /// Worth knowing; the verdict does not depend on it.
    #[serde(rename = "note")]
    Note,
    /// Could not be looked at.
    #[serde(rename = "unread")]
    Unread,
    /// Not as the format says, and no frame is touched by it.
    #[serde(rename = "fault")]
    Fault,
    /// Not as the format says, and on the chain.
    #[serde(rename = "break")]
    Broken,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The object, by its name in the tape.
    pub object: String,
    /// The frame, where one is meant.
    pub frame: Option<u64>,
    /// What, in one line.
    pub what: String,
    /// How much it weighs.
    #[serde(rename = "kind")]
    pub weight: Weight,
}

/// All that was found in one tape.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The session, as its place or its genesis names it.
    pub session: Option<SessionId>,
    /// The verdict.
    pub verdict: Verdict,
    /// Frames that link, and that a signed note covers.
    pub frames: u64,
    /// The segments that those stand in.
    pub segments: u64,
    /// Frames that link, and that no signed note covers.
    pub unsigned: u64,
    /// The signing key that the genesis names, where it names one.
    pub signed: Option<Signed>,
    /// The role that the genesis names, where it names one.
    pub role: Option<String>,
    /// Whose signatures the access rests on, and with which keys.
    pub people: Vec<Signatory>,
    /// Every finding.
    pub findings: Vec<Finding>,
    /// Which frames those are, in order.
    #[serde(skip)]
    pub good: Vec<Stretch>,
}

impl Report {
    /// Returns what is known of a tape that could not be looked at.
    pub fn unread(session: Option<SessionId>, why: &str) -> Self {
        let finding = Finding {
            object: ".".to_owned(),
            frame: None,
            what: format!("not readable: {why}"),
            weight: Weight::Unread,
        };
        Self {
            session,
            verdict: Verdict::Unverifiable,
            frames: 0,
            segments: 0,
            unsigned: 0,
            signed: None,
            role: None,
            people: Vec::new(),
            findings: vec![finding],
            good: Vec::new(),
        }
    }
}

/// Frames of one segment that link, from its first on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The segment.
    pub segment: u64,
    /// The number of its first frame.
    pub first_frame: u64,
    /// How many.
    pub frames: u64,
    /// Whether a signed note covers them.
    pub signed: bool,
}

/// The key that a tape says signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// Its name, by the tape's word.
    pub name: String,
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub sha256: Digest,
    /// Whether it is one that the verifier was told to trust.
    pub trusted: bool,
}
