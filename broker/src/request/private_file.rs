//! A private key's file as ssh-keygen writes it (PROTOCOL.key of OpenSSH). Its public half stands in it in the clear,
//! also where a passphrase locks the rest: nobody is asked for that to see whose key it is.

use bg_recorder::approval::key::PublicKey;
use bg_recorder::approval::wire::Wire;
use bg_recorder::base64;

/// Reads the public half.
pub fn public_half(text: &str) -> Option<PublicKey> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let body: String = body.split_ascii_whitespace().collect();
    let bytes = base64::decode(&body)?;
    let mut wire = Wire::new(bytes.strip_prefix(MAGIC)?);
    let _cipher = wire.string()?;
    let _kdf = wire.string()?;
    let _options = wire.string()?;
    match wire.u32()? {
        1 => PublicKey::parse(wire.string()?),
        _ => None,
    }
}

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_public_half_of_each_kind_is_read_whatever_locks_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let kinds = [["ed25519", "256"], ["ecdsa", "256"], ["ecdsa", "384"], ["rsa", "2048"]];
        for [kind, bits] in kinds {
            let file = dir.path().join(format!("{kind}{bits}"));
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", kind, "-b", bits, "-N", "a passphrase", "-f"]).arg(&file);
            assert!(keygen.status().unwrap().success());
            let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
            let blob = base64::decode(public.split(' ').nth(1).unwrap()).unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            assert_eq!(public_half(&text).unwrap().blob(), blob, "{kind}");
        }
        assert_eq!(public_half("-----BEGIN PRIVATE KEY-----\nAAAA\n"), None);
        assert_eq!(public_half(&format!("{BEGIN}\nAAAA\n{END}\n")), None);
    }
}
