//! The two ends of a tape: the seal, or the recovery (FORMAT.md 9 and 10).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::format::chain::Link;
use crate::format::checkpoint::Listed;
use crate::format::session::SessionId;
use crate::format::stamp::Stamp;

/// What a seal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The session.
    pub session: SessionId,
    /// When it was made.
    pub sealed: Stamp,
    /// Boot time when it was made, in microseconds.
    pub boot_us: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    /// How many segments.
    pub segments: u64,
    /// How many frames.
    pub frames: u64,
    /// The last link.
    pub link: Link,
    /// The last checkpoint.
    pub objects: [Listed; 1],
    /// Per event code.
    pub totals: BTreeMap<char, Total>,
    /// Declared losses.
    pub gaps: Vec<Gap>,
    /// What was read back from the store before this was written.
    #[serde(deserialize_with = "crate::format::once::nullable")]
    pub read_back: Option<ReadBack>,
    /// What the broker declares of the end.
    pub about: Map<String, Value>,
}

/// Events and bytes of one code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// How many events.
    pub events: u64,
    /// Of how many bytes.
    pub bytes: u64,
}

/// A declared loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The number of the frame that was to come.
    pub frame: u64,
    /// Bytes lost.
    pub bytes: u64,
    /// Why.
    pub why: String,
}

/// All objects before the seal were read back and verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBack {
    /// How many.
    pub objects: u64,
}

/// What a recovery says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The session.
    pub session: SessionId,
    /// When it was made.
    pub recovered: Stamp,
    /// The boot id of the run that recovers.
    pub boot_id: String,
    /// Why the session had no proper end, as far as known.
    pub reason: String,
    /// How many segments.
    pub segments: u64,
    /// How many whole frames.
    pub frames: u64,
    /// The link after the last whole frame.
    pub link: Link,
    /// Bytes of a torn last frame, which was never accepted.
    pub torn_bytes: u64,
    /// How many segments the store had before.
    pub stored_segments: u64,
    /// When the recorder last wrote to its spool.
    pub last_write: Stamp,
    /// The last checkpoint (or the genesis), and every segment after it.
    pub objects: Vec<Listed>,
}
