//! A request: what somebody asks for, in exact bytes that are signed (FORMAT.md 5.1).

use serde::{Deserialize, Deserializer, Serialize};

use super::statement::{Nonce, Principal, line, read_line};
use crate::format::chain::Digest;
use crate::format::session::SessionId;
use crate::format::stamp::Stamp;

/// What is asked for. The approvers sign the digest of its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Always 1.
    pub v: u64,
    /// The request's id, a UUIDv7.
    pub id: SessionId,
    /// The role's name in the configuration.
    pub role: String,
    /// The IAM role.
    pub role_arn: String,
    /// Who asks.
    pub requester: Principal,
    /// Why.
    pub reason: String,
    /// For which incident.
    #[serde(deserialize_with = "present")]
    pub incident: Option<String>,
    /// How long the session may last, in seconds.
    pub duration_s: u64,
    /// When it was made.
    pub created: Stamp,
    /// Until when approvals are taken.
    pub expires: Stamp,
    /// How long after the last approval it can be used, in seconds.
    pub execution_s: u64,
    /// How many people must approve.
    pub quorum: u64,
    /// The digest of the role's configuration.
    pub policy_sha256: Digest,
    /// Makes each request's bytes its own.
    pub nonce: Nonce,
    /// Asks to open without approvals, loudly.
    #[serde(rename = "override")]
    pub forced: bool,
}

impl Request {
    /// Reads a request's exact bytes.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let request: Self = read_line(bytes, REQUEST_MAX).ok_or("the request is malformed")?;
        match request.v {
            1 => Ok(request),
            _ => Err("the request is of another version"),
        }
    }

    /// Returns the bytes to be signed.
    ///
    /// # Errors
    /// When they would be too many.
    pub fn write(&self) -> Result<Vec<u8>, &'static str> {
        line(self, REQUEST_MAX).ok_or("the request is too long: shorten its reason")
    }
}

/// Null is a value; absence is none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

/// The most bytes of a request.
pub const REQUEST_MAX: usize = 8_192;
