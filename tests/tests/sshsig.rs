//! SSHSIG against OpenSSH itself: what it signs we take, what the forge signs it takes.

use std::io::Write as _;
use std::process::Stdio;

use bg_recorder::approval::key::Presence;
use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::approval::sshsig::{Hash, SshSig};
use bg_recorder::clock::{Clock as _, Stamp, SystemClock};
use bg_tests::people::Key;

use crate::support::desk::{Desk, sign_by_hand};

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
        let presence = signature.verify(NAMESPACE, MESSAGE).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(presence, Presence::Unknown);
        assert!(
            signature.verify(NAMESPACE, b"another\n").is_err() && signature.verify("file", MESSAGE).is_err()
        );
        let text = std::fs::read(desk.world.home().join("signers")).unwrap();
        let now = Stamp(SystemClock.wall_us());
        let signers = AllowedSigners::parse(&text).unwrap();
        signers.allow(&format!("{kind}@example.com"), &signature.key, NAMESPACE, now, presence).unwrap();
        assert!(signers.allow("bob@example.com", &signature.key, NAMESPACE, now, presence).is_err());
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
            let mut keygen = desk.world.command("ssh-keygen");
            keygen
                .args(["-Y", "verify", "-I", "erin@example.com", "-n", NAMESPACE, "-f"])
                .arg(&signers)
                .arg("-s")
                .arg(&signature);
            let mut child =
                keygen.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(MESSAGE).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{key:?} {hash:?}: {output:?}");
            let ours = SshSig::parse(&armor).unwrap().verify(NAMESPACE, MESSAGE);
            assert_eq!(ours.is_ok(), !matches!(key, Key::SkEd25519(5, 0)), "{key:?}: {ours:?}");
        }
    }
}
