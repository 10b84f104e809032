//! SSHSIG: the armored signatures of `ssh-keygen -Y sign` (PROTOCOL.sshsig of OpenSSH; FORMAT.md 5.1).

use sha2::{Digest as _, Sha256, Sha512};

use super::key::{KeyError, Presence, PublicKey};
use super::wire::{Wire, put};
use crate::format::base64;

/// A signature as it was read. It says nothing before [`SshSig::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSig {
    /// The key that it claims.
    pub key: PublicKey,
    namespace: String,
    hash: Hash,
    signature: Vec<u8>,
}

/// How the message is hashed before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// `sha256`
    Sha256,
    /// `sha512`, which ssh-keygen uses unless told otherwise.
    Sha512,
}

impl SshSig {
    /// Reads an armored signature to its last byte.
    ///
    /// # Errors
    /// When it is none, or of a key that may not sign here.
    pub fn parse(armor: &str) -> Result<Self, SshSigError> {
        let blob = unarmor(armor).ok_or(SshSigError::Armor)?;
        let mut wire = Wire::new(&blob);
        let read = |wire: &mut Wire<'_>| {
            let named = wire.bytes(MAGIC.len())? == MAGIC && wire.u32()? == 1;
            Some((named, wire.string()?.to_vec(), wire.text()?.to_owned()))
        };
        let (named, key, namespace) = read(&mut wire).ok_or(SshSigError::Blob)?;
        let read = |wire: &mut Wire<'_>| {
            let empty = wire.string()?.is_empty();
            let hash = Hash::named(wire.text()?)?;
            let signature = wire.string()?.to_vec();
            wire.end()?;
            empty.then_some((hash, signature))
        };
        let (hash, signature) = read(&mut wire).filter(|_| named).ok_or(SshSigError::Blob)?;
        let key = PublicKey::parse(&key).ok_or(SshSigError::Key)?;
        Ok(Self { key, namespace, hash, signature })
    }

    /// Checks that the key signed exactly these bytes in that namespace.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<Presence, SshSigError> {
        if self.namespace != namespace {
            return Err(SshSigError::Namespace(self.namespace.clone()));
        }
        let signed = signed_data(namespace, self.hash, message);
        self.key.verify(&signed, &self.signature).map_err(SshSigError::Signature)
    }
}

impl Hash {
    fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// Returns the bytes that a key signs for a message.
pub fn signed_data(namespace: &str, hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut data = MAGIC.to_vec();
    for part in [namespace.as_bytes(), b"", hash.name().as_bytes(), &hash.of(message)] {
        put(&mut data, part);
    }
    data
}

/// Returns the armored text of a signature.
pub fn armor(key: &[u8], namespace: &str, hash: Hash, signature: &[u8]) -> String {
    let mut blob = [MAGIC, &1u32.to_be_bytes()].concat();
    for part in [key, namespace.as_bytes(), b"", hash.name().as_bytes(), signature] {
        put(&mut blob, part);
    }
    let mut text = format!("{BEGIN}\n");
    for (at, letter) in base64::encode(&blob).chars().enumerate() {
        if at > 0 && at % 70 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text + "\n" + END + "\n"
}

/// Why bytes are not a signature, or not one over this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshSigError {
    /// The armor is not whole, not canonical base64, or over [`SSHSIG_MAX`].
    #[error("not an armored SSH signature")]
    Armor,
    /// What the armor holds is no signature.
    #[error("not an SSH signature of version 1")]
    Blob,
    /// The key is of a kind that may not sign here, or malformed.
    #[error("its key is not of a kind that may sign")]
    Key,
    /// It was made for something else.
    #[error("made for the namespace {0:?}")]
    Namespace(String),
    /// It does not hold.
    #[error(transparent)]
    Signature(KeyError),
}

fn unarmor(text: &str) -> Option<Vec<u8>> {
    if text.len() > SSHSIG_MAX {
        return None;
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    let body =
        text.strip_prefix(BEGIN)?.strip_prefix('\n')?.strip_suffix(END)?.strip_suffix('\n')?;
    base64::decode(&body.replace('\n', ""))
}

/// The most bytes of an armored signature.
pub const SSHSIG_MAX: usize = 4_096;
const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use proptest::prelude::*;

    use super::*;

    /// Signs with a software key, or with an authenticator that sets these flags.
    fn sign(message: &[u8], flags: Option<u8>) -> String {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let kind: &[u8] =
            if flags.is_some() { b"sk-ssh-ed25519@openssh.com" } else { b"ssh-ed25519" };
        let mut key = Vec::new();
        let mut blob = Vec::new();
        put(&mut key, kind);
        put(&mut key, pair.public_key().as_ref());
        let mut signed = signed_data("n", Hash::Sha512, message);
        if let Some(flags) = flags {
            put(&mut key, b"ssh:");
            let counted = [&[flags], &[0; 4][..]].concat();
            signed = [&Sha256::digest(b"ssh:")[..], &counted, &Sha256::digest(&signed)].concat();
        }
        put(&mut blob, kind);
        put(&mut blob, pair.sign(&signed).as_ref());
        blob.extend(flags.iter().flat_map(|flags| [*flags, 0, 0, 0, 0]));
        armor(&key, "n", Hash::Sha512, &blob)
    }

    #[test]
    fn a_signature_is_over_its_bytes_in_its_namespace() {
        let signature = SshSig::parse(&sign(b"m", None)).unwrap();
        assert_eq!(signature.verify("n", b"m"), Ok(Presence::Unknown));
        assert_eq!(signature.verify("n", b"M"), Err(SshSigError::Signature(KeyError::Invalid)));
        assert_eq!(signature.verify("N", b"m"), Err(SshSigError::Namespace("n".into())));
    }

    #[test]
    fn an_authenticator_tells_whether_somebody_was_there() {
        let verify = |flags| SshSig::parse(&sign(b"m", Some(flags))).unwrap().verify("n", b"m");
        assert_eq!(verify(0), Err(SshSigError::Signature(KeyError::Untouched)));
        assert_eq!(verify(4), Err(SshSigError::Signature(KeyError::Untouched)));
        assert_eq!(verify(1), Ok(Presence::Touched));
        assert_eq!(verify(5), Ok(Presence::Verified));
    }

    #[test]
    fn a_signature_over_its_limit_is_not_read() {
        let good = sign(b"m", None);
        let grown = |len: usize| {
            good.replace("\n-----END", &format!("{}\n-----END", "\n".repeat(len - good.len())))
        };
        assert!(SshSig::parse(&grown(SSHSIG_MAX)).is_ok());
        assert_eq!(SshSig::parse(&grown(SSHSIG_MAX + 1)), Err(SshSigError::Armor));
    }

    proptest! {
        #[test]
        fn no_other_bytes_verify(at in 0usize..400, byte: u8) {
            let good = sign(b"m", Some(1));
            let at = at % good.len();
            let mut bytes = good.clone().into_bytes();
            bytes[at] = byte;
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            let verified = SshSig::parse(&changed).is_ok_and(|signature| signature.verify("n", b"m").is_ok());
            // Where a line of the armor ends says nothing.
            prop_assert_eq!(verified, changed.replace('\n', "") == good.replace('\n', ""));
        }

        #[test]
        fn no_blob_makes_the_parser_panic(bytes: Vec<u8>) {
            let text = format!("{BEGIN}\n{}\n{END}", base64::encode(&[MAGIC, &[0, 0, 0, 1], &bytes].concat()));
            prop_assert!(SshSig::parse(&text).is_err());
            prop_assert!(PublicKey::parse(&bytes).is_none());
        }
    }
}
