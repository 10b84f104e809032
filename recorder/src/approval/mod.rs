//! Requests and approvals: what was asked, who signed it, and whether that is enough (FORMAT.md 5.1).
//!
//! Pure: bytes in, verdict out. In reading order:

pub mod extension;
pub mod request;
pub mod statement;
pub mod taking;

pub mod key;
pub mod pattern;
pub mod signers;
pub mod sshsig;
pub mod wire;

pub mod access;
pub mod objection;
pub mod quorum;

/// The namespace in which a requester signs: requests, and their withdrawal.
pub const REQUEST_NAMESPACE: &str = "bg-shell-request@v1";
/// The namespace in which approvers sign, whatever they decide.
pub const APPROVAL_NAMESPACE: &str = "bg-shell-approval@v1";
/// The namespace in which a requester signs that a session takes the request.
pub const CLAIM_NAMESPACE: &str = "bg-shell-claim@v1";
/// The namespace in which approvers give a session more time without its store.
pub const EXTENSION_NAMESPACE: &str = "bg-shell-extension@v1";
/// How far the clocks of requester, approvers and recording host may differ, in microseconds.
pub const SKEW_US: u64 = 300_000_000;
