//! Faults of the claim: who opens what was approved, and for which session.

use bg_recorder::approval::{CLAIM_NAMESPACE, REQUEST_NAMESPACE};
use bg_recorder::chain::Digest;
use bg_recorder::stamp::Stamp;
use data_encoding::BASE64;

use super::{Row, changed, edit};
use crate::forge::WALL_US;
use crate::plea::{ALICE, BOB, principal};

/// Each breaks the genesis.
pub const ROWS: &[Row] = &[
    ("access_claim_by_another", "an approver opens what was approved for the requester", |p| {
        p.claim.by = BOB;
        p.claim.taking.requester = principal("bob");
    }),
    ("access_claim_signed_by_another", "another person's key signed the claim", |p| {
        p.claim.by = BOB
    }),
    ("access_claim_names_another", "the requester signed the claim in another's name", |p| {
        p.claim.taking.requester = principal("bob")
    }),
    ("access_claim_namespace", "the claim was signed in the requests' namespace", |p| {
        p.claim.namespace = REQUEST_NAMESPACE
    }),
    ("access_claim_of_another_session", "the claim is for another session", |p| {
        p.claim.taking.session = "01a20764-d400-7000-8000-00000000000b".parse().unwrap()
    }),
    ("access_claim_of_another_id", "the claim names another request", |p| {
        p.claim.taking.request = "01a20764-d400-7000-8000-00000000000b".parse().unwrap()
    }),
    ("access_claim_of_another_request", "the claim is for another request's bytes", |p| {
        p.claim.digest = Some(Digest::of(b"another"))
    }),
    ("access_claim_too_early", "the claim was signed long before the request", |p| {
        p.claim.taking.made = Stamp(p.request.created.0 - 300_000_001)
    }),
    ("access_claim_too_late", "the claim was signed after the session began", |p| {
        p.claim.taking.made = Stamp(WALL_US + 301_000_000)
    }),
    ("access_claim_version", "the claim is of version 2", |p| p.claim.taking.v = 2),
    ("access_claim_edited", "a byte of the claim was changed after it was signed", |p| {
        p.access = |a| edit(&mut a.claim.statement, "\"nonce\":\"08", "\"nonce\":\"07")
    }),
    ("access_claim_too_long", "the claim is over its limit", |p| {
        p.access = |a| {
            let bytes = BASE64.decode(a.claim.statement.as_bytes()).unwrap();
            let bytes = changed(&bytes, "{\"v\":1,", &format!("{{\"v\":1,{}", " ".repeat(2_048)));
            a.claim.statement = BASE64.encode(&bytes);
            a.claim.signature = ALICE.sign(CLAIM_NAMESPACE, &bytes);
        };
    }),
];
