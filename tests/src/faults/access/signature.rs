//! Faults of the approvals and of their signatures.

use bg_recorder::approval::REQUEST_NAMESPACE;
use bg_recorder::approval::access::Access;
use bg_recorder::approval::statement::Decision;
use bg_recorder::chain::Digest;
use data_encoding::BASE64;

use super::{Row, edit, resign};
use crate::people::Key;
use crate::plea::{DAVE, ERIN, Vote};

/// Each breaks the genesis.
pub const ROWS: &[Row] = &[
    ("access_approval_of_another_request", "an approval signs another request's bytes", |p| {
        p.votes[0].digest = Some(Digest::of(b"another"))
    }),
    ("access_approval_of_another_id", "an approval names another request", |p| {
        p.votes[0].statement.request = "01a20764-d400-7000-8000-00000000000b".parse().unwrap();
    }),
    ("access_approval_namespace", "an approval was signed in the requests' namespace", |p| {
        p.votes[0].namespace = REQUEST_NAMESPACE
    }),
    ("access_approval_edited", "a byte of a statement was changed after it was signed", |p| {
        p.access = |a| edit(&mut a.approvals[0].statement, "\"nonce\":\"09", "\"nonce\":\"08")
    }),
    ("access_approval_too_long", "a statement is over its limit", |p| {
        p.access = |a| resign(a, |text| text.replace(":1,", &format!(":1,{}", " ".repeat(2_048))))
    }),
    ("access_denial", "a denial stands among the approvals", |p| {
        let mut denial = Vote::of("dave", DAVE);
        denial.statement.decision = Decision::Deny;
        p.votes.push(denial);
    }),
    ("access_untouched_ed25519", "an authenticator signed without touch", |p| {
        p.votes[0] = Vote::of("erin", Key::SkEd25519(5, 0))
    }),
    ("access_untouched_p256", "an authenticator of the other kind signed without touch", |p| {
        p.votes[0] = Vote::of("frank", Key::SkP256(6, 4))
    }),
    ("access_user_not_verified", "an authenticator must verify its user, and did not", |p| {
        p.signers = p.signers.replace("erin@example.com ", "erin@example.com verify-required ");
        p.votes[0] = Vote::of("erin", ERIN);
    }),
    ("access_signature_flags_edited", "the flags were set after the authenticator signed", |p| {
        p.votes[0] = Vote::of("erin", Key::SkEd25519(5, 0));
        p.access = |a| {
            reblob(a, |blob| {
                let flags = blob.len() - 5;
                blob[flags] = 1;
            })
        };
    }),
    ("access_signature_version", "an SSHSIG of version 0", |p| {
        p.access = |a| reblob(a, |blob| blob[9] = 0)
    }),
    ("access_signature_trailing_byte", "a byte behind an SSHSIG", |p| {
        p.access = |a| reblob(a, |blob| blob.push(0))
    }),
    ("access_signature_reserved", "an SSHSIG whose reserved part is not empty", |p| {
        p.access = |a| {
            reblob(a, |blob| {
                let at = find(blob, b"bg-shell-approval@v1") + 20;
                blob.splice(at..at + 4, [0, 0, 0, 1, b'x']);
            })
        };
    }),
    ("access_signature_sha1", "an RSA signature that calls itself ssh-rsa, which is SHA-1", |p| {
        p.access = |a| {
            let armor = &mut a.approvals[1].signature;
            rewrite(armor, |blob| {
                let at = find(blob, b"rsa-sha2-512");
                blob.splice(at - 4..at + 12, [&[0, 0, 0, 7], &b"ssh-rsa"[..]].concat());
                let at = at - 8;
                let len = (blob.len() - at - 4) as u32;
                blob.splice(at..at + 4, len.to_be_bytes());
            });
        };
    }),
    ("access_signature_armor", "text before an armored signature", |p| {
        p.access = |a| a.approvals[0].signature.insert(0, '\n')
    }),
    ("access_signature_too_long", "an armored signature over its limit", |p| {
        p.access = |a| {
            let end = a.approvals[0].signature.find("\n-----END").unwrap();
            a.approvals[0].signature.insert_str(end, &"\n".repeat(4_096));
        }
    }),
];

/// Changes what is in the armor of the first approval's signature.
fn reblob(access: &mut Access, change: fn(&mut Vec<u8>)) {
    rewrite(&mut access.approvals[0].signature, change);
}

fn rewrite(armor: &mut String, change: fn(&mut Vec<u8>)) {
    let lines: Vec<&str> = armor.lines().collect();
    let mut blob = BASE64.decode(lines[1..lines.len() - 1].concat().as_bytes()).unwrap();
    change(&mut blob);
    *armor = format!("{}\n{}\n{}\n", lines[0], BASE64.encode(&blob), lines[lines.len() - 1]);
}

fn find(blob: &[u8], part: &[u8]) -> usize {
    blob.windows(part.len()).position(|window| window == part).unwrap()
}
