//! An extension: more time for a session whose evidence store is away, in exact bytes that an approver signs
//! (FORMAT.md 7.2).

use serde::{Deserialize, Serialize};

use super::statement::{Nonce, Principal, STATEMENT_MAX, line, read_line};
use crate::format::session::SessionId;
use crate::format::stamp::Stamp;

/// One extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Always 1.
    pub v: u64,
    /// The session that may go on.
    pub session: SessionId,
    /// For how many more seconds, 1 to [`EXTENSION_MAX_S`].
    pub for_s: u64,
    /// When it was signed.
    pub made: Stamp,
    /// Until when it can be used.
    pub expires: Stamp,
    /// Who signed.
    pub approver: Principal,
    /// Makes each extension's bytes its own: it is used once.
    pub nonce: Nonce,
}

impl Extension {
    /// Reads an extension's exact bytes.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let extension: Self =
            read_line(bytes, STATEMENT_MAX).ok_or("the extension is malformed")?;
        match extension {
            Self { v: 1, for_s: 1..=EXTENSION_MAX_S, .. } => Ok(extension),
            Self { v: 1, .. } => Err("the extension is for too long, or for no time"),
            _ => Err("the extension is of another version"),
        }
    }

    /// Returns the bytes to be signed.
    ///
    /// # Errors
    /// When they would be too many.
    pub fn write(&self) -> Result<Vec<u8>, &'static str> {
        line(self, STATEMENT_MAX).ok_or("the extension is too long")
    }
}

/// The most seconds of one extension: four hours.
pub const EXTENSION_MAX_S: u64 = 14_400;
