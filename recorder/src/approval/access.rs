//! `about.access`: what a tape carries of its approvals (FORMAT.md 5.1).

use serde::{Deserialize, Serialize};

use super::objection::Objection;
use super::request::Request;
use super::signers::AllowedSigners;
use crate::format::base64;

/// All that the approvals of a session rest on, in exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Always 1.
    pub v: u64,
    /// The role's name.
    pub role: String,
    /// The IAM role.
    pub role_arn: String,
    /// How many people had to approve.
    pub quorum: u64,
    /// Whether it was opened without waiting for them.
    pub forced: bool,
    /// Base64 of the request's bytes.
    pub request: String,
    /// The requester's signature over them, armored.
    pub request_signature: String,
    /// Base64 of the allowed_signers text in force.
    pub allowed_signers: String,
    /// Every approval that counts.
    pub approvals: Vec<Signed>,
    /// That its requester opens it, in this session.
    pub claim: Signed,
}

/// A signed statement, in exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Base64 of the statement's bytes.
    pub statement: String,
    /// The signature over them, armored.
    pub signature: String,
}

impl Access {
    /// Puts one together.
    pub fn new(
        request: &Request,
        bytes: &[u8],
        signature: &str,
        signers: &[u8],
        approvals: Vec<Signed>,
        claim: Signed,
    ) -> Self {
        Self {
            v: 1,
            role: request.role.clone(),
            role_arn: request.role_arn.clone(),
            quorum: request.quorum,
            forced: request.forced,
            request: base64::encode(bytes),
            request_signature: signature.to_owned(),
            allowed_signers: base64::encode(signers),
            approvals,
            claim,
        }
    }

    /// Decodes the allowed_signers text.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn signers(&self) -> Result<AllowedSigners, Objection> {
        let text = base64::decode(&self.allowed_signers).ok_or("allowed_signers is not base64")?;
        AllowedSigners::parse(&text).map_err(Objection::Signers)
    }
}

/// The most approvals that a tape carries.
pub const APPROVALS_MAX: usize = 16;
