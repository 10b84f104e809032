//! What a verification found (FORMAT.md 12).

use serde::Serialize;

use crate::format::session::SessionId;

/// The one word for a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Worth knowing; the verdict does not depend on it.
    Note,
    /// Could not be looked at.
    Unverifiable,
    /// Not as the format says.
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
    #[serde(skip)]
    pub weight: Weight,
}

/// All that was found in one tape.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The session, as its place or its genesis names it.
    pub session: Option<SessionId>,
    /// The verdict.
    pub verdict: Verdict,
    /// Whole frames up to the first break.
    pub frames: u64,
    /// Good segments up to the first break.
    pub segments: u64,
    /// Every finding.
    pub findings: Vec<Finding>,
}
