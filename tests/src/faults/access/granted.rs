//! What is granted, and breaks nothing.

use super::{Row, early};
use crate::people::Key;
use crate::plea::{DAVE, ERIN, FRANK, GRACE, Vote};

/// Each is intact.
pub const ROWS: &[Row] = &[
    ("access_ed25519_rsa", "none: approved with Ed25519 and RSA", |_| {}),
    ("access_ecdsa", "none: approved with P-256 and P-384", |p| {
        p.votes = vec![Vote::of("dave", DAVE), Vote::of("grace", GRACE)]
    }),
    ("access_authenticators", "none: approved with touched authenticators of both kinds", |p| {
        p.votes = vec![Vote::of("erin", ERIN), Vote::of("frank", FRANK)]
    }),
    ("access_user_verified", "none: an authenticator that must verify its user, and did", |p| {
        p.signers = p.signers.replace("erin@example.com ", "erin@example.com verify-required ");
        p.votes[0] = Vote::of("erin", Key::SkEd25519(5, 5));
    }),
    ("access_options", "none: options that allow, in any case, with patterns", |p| {
        let options = "?ob@*.com,!mallory* Namespaces=\"x,bg-shell-app*\",VALID-AFTER=\"20261123\",\
                    valid-before=\"202611230600Z\" ";
        p.signers = p.signers.replace("bob@example.com ", options);
    }),
    ("access_forced", "none: opened without its approvals, which is noted", |p| {
        p.request.forced = true;
        p.votes.clear();
    }),
    ("access_quorum_0", "none: a role without approvals, which is noted", |p| {
        p.request.quorum = 0;
        p.votes.clear();
    }),
    ("access_third_approval", "none: more approvals than needed", |p| {
        p.votes.push(Vote::of("dave", DAVE))
    }),
    ("access_used_at_the_last_moment", "none: used as late as can be", |p| early(p, 290)),
    (
        "access_signers_other_keys",
        "none: keys of types that cannot sign here are passed over",
        |p| {
            p.signers +=
                "zoe@example.com ssh-dss AAAA\r\nzoe@example.com cert-authority ssh-foo AAAA x"
        },
    ),
];
