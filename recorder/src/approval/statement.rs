//! A statement: what somebody decided about a request, in exact bytes that are signed (FORMAT.md 5.1).

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::format::chain::Digest;
use crate::format::once;
use crate::format::session::SessionId;
use crate::format::stamp::Stamp;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always 1.
    pub v: u64,
    /// Which way.
    pub decision: Decision,
    /// The request's id.
    pub request: SessionId,
    /// The digest of the request's exact bytes.
    pub request_sha256: Digest,
    /// Who decided.
    pub approver: Principal,
    /// When.
    pub made: Stamp,
    /// Until when it holds.
    pub expires: Stamp,
    /// Makes each statement's bytes its own.
    pub nonce: Nonce,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It may be opened.
    Approve,
    /// It must not be opened.
    Deny,
    /// Its requester does not want it any more.
    Cancel,
}

impl Statement {
    /// Reads a statement's exact bytes.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let statement: Self =
            read_line(bytes, STATEMENT_MAX).ok_or("the statement is malformed")?;
        match statement.v {
            1 => Ok(statement),
            _ => Err("the statement is of another version"),
        }
    }

    /// Returns the bytes to be signed.
    ///
    /// # Errors
    /// When they would be too many.
    pub fn write(&self) -> Result<Vec<u8>, &'static str> {
        line(self, STATEMENT_MAX).ok_or("the statement is too long")
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Cancel => "cancel",
        })
    }
}

/// A person's name, as allowed_signers has it: fit for an object's name and for an STS SourceIdentity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Principal(String);

impl Principal {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Principal {
    type Error = NotAPrincipal;

    fn try_from(name: String) -> Result<Self, NotAPrincipal> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=.@-".contains(&b);
        let begins = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let fits = (2..=64).contains(&name.len()) && begins && name.bytes().all(plain);
        if fits { Ok(Self(name)) } else { Err(NotAPrincipal) }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text cannot name a person here.
#[derive(Debug, thiserror::Error)]
#[error("a principal has 2 to 64 letters, digits and _+=.@-, and begins with a letter or digit")]
pub struct NotAPrincipal;

/// 16 random bytes, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Nonce(String);

impl Nonce {
    /// Takes random bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(data_encoding::HEXLOWER.encode(&bytes))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Nonce {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let fits = text.len() == 32 && text.bytes().all(hex);
        if fits { Ok(Self(text)) } else { Err("a nonce is 32 lower-case hexadecimal digits") }
    }
}

/// Reads one JSON object on one line with its LF.
pub(super) fn read_line<T: DeserializeOwned>(bytes: &[u8], max: usize) -> Option<T> {
    let json = bytes.strip_suffix(b"\n").filter(|_| bytes.len() <= max)?;
    once::line(json)
}

pub(super) fn line<T: Serialize>(value: &T, max: usize) -> Option<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).ok()?;
    bytes.push(b'\n');
    (bytes.len() <= max).then_some(bytes)
}

/// The most bytes of a statement.
pub const STATEMENT_MAX: usize = 2_048;
