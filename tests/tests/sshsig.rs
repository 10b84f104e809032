//! SSHSIG against OpenSSH itself: what it signs we take, what the forge signs it takes.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use bg_recorder::approval::key::Presence;
use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::approval::sshsig::{Hash, SshSig};
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_tests::people::Key;

use crate::support::desk::{Desk, sign_by_hand};
use crate::support::random::{OPTIONS, Random};

const NAMESPACE: &str = "bg-shell-approval@v1";
const MESSAGE: &[u8] = b"a statement\n";

#[test]
fn we_take_what_ssh_keygen_signs() {
    let desk = Desk::new();
    let file = desk.world.home().join("message");
    std::fs::write(&file, MESSAGE).unwrap();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        desk.join(kind, kind, kind);
        let signature = sign_by_hand(&desk, &desk.key(kind), NAMESPACE, &file);
        let armor = std::fs::read_to_string(&signature).unwrap();
        std::fs::remove_file(signature).unwrap();
        let signature = SshSig::parse(&armor).unwrap();
        let presence =
            signature.verify(NAMESPACE, MESSAGE).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(presence, Presence::Unknown);
        assert!(
            signature.verify(NAMESPACE, b"another\n").is_err()
                && signature.verify("file", MESSAGE).is_err()
        );
        let text = std::fs::read(desk.world.home().join("signers")).unwrap();
        let now = SystemClock.now();
        let signers = AllowedSigners::parse(&text).unwrap();
        signers
            .allow(&format!("{kind}@example.com"), &signature.key, NAMESPACE, now, presence)
            .unwrap();
        assert!(
            signers.allow("bob@example.com", &signature.key, NAMESPACE, now, presence).is_err()
        );
    }
}

#[test]
fn ssh_keygen_takes_what_the_forge_signs() {
    let desk = Desk::new();
    let signers = desk.world.home().join("others");
    for key in [
        Key::Ed25519(1),
        Key::Rsa,
        Key::P256(4),
        Key::P384(7),
        Key::SkEd25519(5, 1),
        Key::SkP256(6, 1),
        // OpenSSH takes a signature without touch; we do not.
        Key::SkEd25519(5, 0),
    ] {
        for hash in [Hash::Sha256, Hash::Sha512] {
            std::fs::write(&signers, format!("erin@example.com {}\n", key.line())).unwrap();
            let armor = key.sign_hashed(NAMESPACE, hash, MESSAGE);
            let signature = desk.world.home().join("signature");
            std::fs::write(&signature, &armor).unwrap();
            let theirs = ssh_keygen_takes(&desk, &signers, &signature);
            assert!(theirs, "{key:?} {hash:?}");
            let ours = SshSig::parse(&armor).unwrap().verify(NAMESPACE, MESSAGE);
            assert_eq!(ours.is_ok(), !matches!(key, Key::SkEd25519(5, 0)), "{key:?}: {ours:?}");
        }
    }
}

#[test]
fn we_allow_nothing_that_ssh_keygen_refuses() {
    let desk = Desk::new();
    let key = Key::Ed25519(1);
    let signers = desk.world.home().join("others");
    let signature = desk.world.home().join("signature");
    std::fs::write(&signature, key.sign(NAMESPACE, MESSAGE)).unwrap();
    let signed = SshSig::parse(&std::fs::read_to_string(&signature).unwrap()).unwrap();
    let mut allowed = 0;
    let mut refused = 0;
    for seed in 1..400 {
        let line = format!("erin@example.com {} {}\n", Random(seed).tokens(OPTIONS), key.line());
        let now = SystemClock.now();
        let ours = AllowedSigners::parse(line.as_bytes()).is_ok_and(|list| {
            list.allow("erin@example.com", &signed.key, NAMESPACE, now, Presence::Unknown).is_ok()
        });
        std::fs::write(&signers, &line).unwrap();
        let theirs = ssh_keygen_takes(&desk, &signers, &signature);
        assert!(theirs || !ours, "seed {seed}: {line}");
        (allowed, refused) = if ours { (allowed + 1, refused) } else { (allowed, refused + 1) };
    }
    assert!(allowed > 20 && refused > 20, "{allowed} allowed, {refused} refused");
}

fn ssh_keygen_takes(desk: &Desk, signers: &Path, signature: &Path) -> bool {
    let mut keygen = desk.world.command("ssh-keygen");
    keygen
        .env("TZ", "UTC")
        .args(["-Y", "verify", "-I", "erin@example.com", "-n", NAMESPACE, "-f"])
        .arg(signers);
    keygen
        .arg("-s")
        .arg(signature)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = keygen.spawn().unwrap();
    // It does not read the message where it refuses the list.
    child.stdin.take().unwrap().write_all(MESSAGE).unwrap_or(());
    child.wait().unwrap().success()
}
