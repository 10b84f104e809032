//! The mark of a spool: bytes that its recorder alone knows, and whose digest the genesis names. Whoever makes a spool
//! out of what the store has cannot make it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::format::chain::Digest;
use crate::format::sign::SignError;

/// A recorder's mark.
pub struct Mark(String);

impl Mark {
    /// Makes a fresh one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn mint() -> Result<Self, SignError> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SignError::Failed)?;
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            write!(text, "{byte:02x}").map_err(|_| SignError::Failed)?;
        }
        Ok(Self(text))
    }

    /// Returns what the spool keeps.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Names it in what a genesis declares.
    pub(super) fn declare(&self, about: &mut Map<String, Value>) {
        about.insert(MEMBER.into(), Digest::of(self.bytes()).to_string().into());
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mark(..)")
    }
}

/// Returns whether these bytes are the mark that a genesis declares.
pub fn is_marked(about: &Map<String, Value>, bytes: &[u8]) -> bool {
    let named = about.get(MEMBER).and_then(Value::as_str);
    named == Some(Digest::of(bytes).to_string().as_str())
}

const MEMBER: &str = "spool_sha256";
