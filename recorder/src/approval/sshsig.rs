//! SSHSIG: the armored signatures of `ssh-keygen -Y sign` (PROTOCOL.sshsig of OpenSSH; FORMAT.md 5.1).

use sha2::{Digest as _, Sha256, Sha512};

use super::key::{KeyError, Presence, PublicKey};
use super::wire::{Wire, put};
use crate::base64;

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
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
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
    let body = text.strip_prefix(BEGIN)?.strip_prefix('\n')?.strip_suffix(END)?.strip_suffix('\n')?;
    base64::decode(&body.replace('\n', ""))
}

/// The most bytes of an armored signature.
pub const SSHSIG_MAX: usize = 4_096;
const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
