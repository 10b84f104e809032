//! Checkpoints: what the session key signs after each segment (FORMAT.md 8).

use serde::{Deserialize, Serialize};

use crate::format::chain::{Digest, Link};
use crate::format::session::{ObjectName, SessionId};
use crate::format::sign::SessionPublic;
use crate::format::stamp::Stamp;

/// An object and the digest of its bytes.
pub type Listed = (ObjectName, Digest);

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The session.
    pub session: SessionId,
    /// Its number, that of the segment it covers.
    pub checkpoint: u64,
    /// How many frames there are through that segment.
    pub frames: u64,
    /// The link after it.
    pub link: Link,
    /// The object before, and the segment.
    pub objects: [Listed; 2],
    /// When it was made.
    pub wall: Stamp,
    /// Boot time when it was made, in microseconds.
    pub boot_us: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The session key of the next note.
    pub next: SessionPublic,
    /// The signing key's signature over an earlier checkpoint.
    #[serde(
        default,
        deserialize_with = "crate::format::once::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub cosigned: Option<Cosigned>,
}

/// The signing key's signature over an earlier checkpoint's text. It comes later because a key service may be
/// slow, and the recording path does not wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cosigned {
    /// Which checkpoint.
    pub checkpoint: u64,
    /// Base64 of the DER signature.
    pub signature: String,
}

/// Returns the name of the object that checkpoint `n` lists before its segment.
pub fn listed_before(n: u64) -> ObjectName {
    n.checked_sub(1).map_or(ObjectName::Genesis, ObjectName::Checkpoint)
}
