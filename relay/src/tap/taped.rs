//! What was heard, from the tape itself: whoever can open it hands it to whoever reports.

use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use serde::{Deserialize, Serialize};

use super::Seen;

/// What a tape says of itself, once it is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taped {
    /// Whose tape it is.
    pub session: SessionId,
    /// When its last event happened, where it has one.
    pub last: Option<Stamp>,
    /// From its beginning to that, in milliseconds.
    pub lasted_ms: u64,
    /// How often frames were missing.
    pub holes: u64,
    /// What was typed, and what appeared.
    pub seen: Seen,
}
