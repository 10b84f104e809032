//! Faults of who approved.

use super::{Row, resign};
use crate::people::Key;
use crate::plea::{ALICE, BOB, DAVE, Vote};

/// Each breaks the genesis.
pub const ROWS: &[Row] = &[
    ("access_one_person_three_keys", "one person approves three times, with three keys", |p| {
        for key in [Key::Ed25519(21), Key::Ed25519(22)] {
            p.signers += &format!("bob@example.com {}\n", key.line());
        }
        p.votes = [BOB, Key::Ed25519(21), Key::Ed25519(22)].map(|key| Vote::of("bob", key)).into();
    }),
    ("access_claim_with_an_approvers_key", "the claim's key stands for an approver, too", |p| {
        let bob = BOB.line();
        p.signers = p.signers.replace("bob@example.com ", "alice@example.com,bob@example.com ");
        assert!(p.signers.contains(&bob));
        p.votes = vec![Vote::of("dave", DAVE), Vote::of("bob", Key::Ed25519(22))];
        p.signers += &format!("bob@example.com {}\n", Key::Ed25519(22).line());
        p.claim.by = BOB;
    }),
    ("access_claim_with_everybodys_key", "the claim's key stands under every name", |p| {
        p.signers += &format!("* {}\n", Key::Ed25519(23).line());
        p.claim.by = Key::Ed25519(23);
    }),
    ("access_one_key_two_names", "one key approves under two names", |p| {
        p.signers += &format!("robert@example.com {}\n", BOB.line());
        p.votes[1] = Vote::of("robert", BOB);
    }),
    (
        "access_two_names_one_person",
        "a key of one approver also stands under the other's name",
        |p| {
            p.signers += &format!("carol@example.com {}\n", BOB.line());
        },
    ),
    ("access_self_approval", "the requester approves", |p| p.votes[0] = Vote::of("alice", ALICE)),
    ("access_self_approval_with_another_key", "the requester approves with another key", |p| {
        p.signers += &format!("alice@example.com {}\n", Key::Ed25519(21).line());
        p.votes[0] = Vote::of("alice", Key::Ed25519(21));
    }),
    (
        "access_self_approval_under_another_name",
        "the requester's key approves under another name",
        |p| {
            p.signers += &format!("alicia@example.com {}\n", ALICE.line());
            p.votes[0] = Vote::of("alicia", ALICE);
        },
    ),
    ("access_everybody", "an approval by a key that stands under every name", |p| {
        p.signers += &format!("*@example.com {}\n", Key::Ed25519(21).line());
        p.votes[0] = Vote::of("dave", Key::Ed25519(21));
    }),
    ("access_quorum_short", "one approval where two are needed", |p| drop(p.votes.pop())),
    ("access_unknown_signer", "an approver whose key is not in allowed_signers", |p| {
        p.votes[0] = Vote::of("bob", Key::Ed25519(99))
    }),
    (
        "access_another_name",
        "an approver who signs with a key of their own in another's name",
        |p| p.votes[0] = Vote::of("dave", BOB),
    ),
    ("access_principal", "an approver whose name is no principal", |p| {
        p.access = |a| resign(a, |text| text.replace("bob@", "../bob@"))
    }),
    ("access_too_many_approvals", "seventeen approvals", |p| {
        for n in 30..45 {
            let name = format!("helper{n}");
            p.signers += &format!("{name}@example.com {}\n", Key::Ed25519(n).line());
            p.votes.push(Vote::of(&name, Key::Ed25519(n)));
        }
    }),
];
