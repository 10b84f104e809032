//! A taking: what a requester signs when a session takes their request, in exact bytes (FORMAT.md 5.1).

use serde::{Deserialize, Serialize};

use super::statement::{Nonce, Principal, STATEMENT_MAX, line, read_line};
use crate::format::chain::Digest;
use crate::format::session::SessionId;
use crate::format::stamp::Stamp;

/// One request is taken by one session. Whoever signs it has a key of the requester at hand, now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taking {
    /// Always 1.
    pub v: u64,
    /// The request's id.
    pub request: SessionId,
    /// The digest of the request's exact bytes.
    pub request_sha256: Digest,
    /// The session that takes it, and no other.
    pub session: SessionId,
    /// Who opens it: who asked.
    pub requester: Principal,
    /// When.
    pub made: Stamp,
    /// Makes each statement's bytes its own.
    pub nonce: Nonce,
}

impl Taking {
    /// Reads exact bytes.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let taking: Self =
            read_line(bytes, STATEMENT_MAX).ok_or("the claim's statement is malformed")?;
        match taking.v {
            1 => Ok(taking),
            _ => Err("the claim's statement is of another version"),
        }
    }

    /// Returns the bytes to be signed.
    ///
    /// # Errors
    /// When they would be too many.
    pub fn write(&self) -> Result<Vec<u8>, &'static str> {
        line(self, STATEMENT_MAX).ok_or("the claim's statement is too long")
    }
}
