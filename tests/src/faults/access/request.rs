//! Faults of the request, and of what of it the genesis repeats.

use bg_recorder::approval::APPROVAL_NAMESPACE;
use bg_recorder::stamp::Stamp;

use super::{Row, changed, edit};
use crate::forge::WALL_US;
use crate::plea::{BOB, DAVE};

/// Each breaks the genesis.
pub const ROWS: &[Row] = &[
    ("access_request_byte_changed", "a byte of the request was changed after it was signed", |p| {
        p.access = |a| edit(&mut a.request, "db-3", "db-4")
    }),
    ("access_request_unsigned", "the requester's signature is missing", |p| {
        p.access = |a| a.request_signature.clear()
    }),
    ("access_request_signed_by_another", "another person signed the request", |p| p.by = BOB),
    ("access_request_namespace", "the request was signed in the approvals' namespace", |p| {
        p.namespace = APPROVAL_NAMESPACE
    }),
    ("access_request_unknown_member", "the request has a member that nobody was shown", |p| {
        p.bytes = |bytes| changed(&bytes, "{\"v\":1,", "{\"v\":1,\"also\":1,")
    }),
    ("access_request_member_doubled", "a member of the request stands twice", |p| {
        p.bytes = |bytes| changed(&bytes, "{\"v\":1,", "{\"v\":1,\"v\":1,")
    }),
    ("access_request_member_missing", "the request leaves incident out", |p| {
        p.bytes = |bytes| changed(&bytes, "\"incident\":\"INC-7\",", "")
    }),
    ("access_request_version", "the request is of version 2", |p| p.request.v = 2),
    ("access_request_without_line_feed", "the request has no LF at its end", |p| {
        p.bytes = |bytes| bytes[..bytes.len() - 1].to_vec()
    }),
    ("access_request_too_long", "the request is over its limit", |p| {
        p.bytes = |bytes| changed(&bytes, "db-3", &"x".repeat(8_192))
    }),
    ("access_request_expired_when_made", "the request expires before it is made", |p| {
        p.request.expires = p.request.created
    }),
    ("access_request_made_later", "the request was made after the session began", |p| {
        p.request.created = Stamp(WALL_US + 301_000_000)
    }),
    ("access_request_base64", "the request's base64 is not canonical", |p| {
        p.access = |a| a.request.insert(4, '\n')
    }),
    ("access_version", "an access of version 2", |p| p.access = |a| a.v = 2),
    ("access_role_arn", "the access names another IAM role than the request", |p| {
        p.access = |a| a.role_arn.push('2')
    }),
    ("access_quorum_lowered", "the access needs fewer approvals than the request", |p| {
        p.access = |a| a.quorum = 1
    }),
    ("access_forced_by_nobody", "forced, though the request does not ask for it", |p| {
        p.access = |a| a.forced = true
    }),
    ("access_forced_with_a_bad_approval", "forced, and one approval is none", |p| {
        p.request.forced = true;
        p.votes[0].by = DAVE;
    }),
];
