//! Faults of the allowed_signers text.

use super::Row;
use crate::people::Key;

/// Each breaks the genesis.
pub const ROWS: &[Row] = &[
    ("access_signer_expired", "the approver's line was not valid any more", |p| {
        option(&mut p.signers, "valid-before=\"20261123055459Z\"")
    }),
    ("access_signer_not_valid_yet", "the approver's line was not valid yet", |p| {
        option(&mut p.signers, "valid-after=\"20261123055501\"")
    }),
    ("access_signer_namespace", "the approver's line is for another namespace", |p| {
        option(&mut p.signers, "namespaces=\"file,git\"")
    }),
    ("access_signer_authority", "the approver's line is a certificate authority's", |p| {
        option(&mut p.signers, "cert-authority")
    }),
    ("access_signer_refused", "the approver is refused by a pattern", |p| {
        p.signers = p.signers.replace("bob@example.com ", "*@example.com,!bob@* ")
    }),
    (
        "access_signers_unknown_option",
        "an option that this page does not have, on another's line",
        |p| p.signers += &format!("zoe@example.com touch=\"yes\" {}\n", Key::Ed25519(30).line()),
    ),
    ("access_signers_unquoted", "an option's value without quotes, on another's line", |p| {
        p.signers += &format!("zoe@example.com namespaces=x {}\n", Key::Ed25519(30).line())
    }),
    ("access_signers_time", "a thirteenth month, on another's line", |p| {
        p.signers +=
            &format!("zoe@example.com valid-after=\"20261301\" {}\n", Key::Ed25519(30).line());
    }),
    ("access_signers_times_swapped", "valid-before is not later than valid-after", |p| {
        let times = "valid-after=\"20260101\",valid-before=\"20260101\"";
        p.signers += &format!("zoe@example.com {times} {}\n", Key::Ed25519(30).line());
    }),
    ("access_signers_key", "a key that is not of its type, on another's line", |p| {
        p.signers += "zoe@example.com ssh-ed25519 AAAA\n"
    }),
    ("access_signers_too_large", "an allowed_signers text over its limit", |p| {
        p.signers += &"#\n".repeat(32_768)
    }),
];

/// Gives Bob's line an option.
fn option(signers: &mut String, option: &str) {
    *signers = signers.replace("bob@example.com ", &format!("bob@example.com {option} "));
}
