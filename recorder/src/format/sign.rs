//! Who signs notes: the ratcheted session key (Ed25519) and the signing key (ECDSA P-256).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1, ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
    UnparsedPublicKey,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::format::base64;
use crate::format::low_s;
use crate::format::note::Signature;
use crate::format::session::SessionId;

/// A private session key. It signs one note and is erased by that.
pub struct SessionKey(Ed25519KeyPair);

impl SessionKey {
    /// Makes a fresh key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, SignError> {
        Ed25519KeyPair::generate().map(Self).map_err(|_| SignError::Failed)
    }

    /// Returns the public half, which the note before this key's one names.
    pub fn public(&self) -> SessionPublic {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        SessionPublic(bytes)
    }

    /// Signs the one note that this key is for. AWS-LC cleanses the private half as it is freed.
    pub fn sign(self, session: SessionId, text: &[u8]) -> Signature {
        let name = session_key_name(session);
        let key_id = self.public().key_id(&name);
        Signature { name, key_id, bytes: self.0.sign(text).as_ref().to_vec() }
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// A public session key. In text: base64 of its 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionPublic([u8; 32]);

impl SessionPublic {
    /// Returns whether `signature` is this key's over `text`, in the session's name.
    pub fn verifies(&self, session: SessionId, text: &[u8], signature: &Signature) -> bool {
        let name = session_key_name(session);
        signature.name == name
            && signature.key_id == self.key_id(&name)
            && UnparsedPublicKey::new(&ED25519, self.0).verify(text, &signature.bytes).is_ok()
    }

    fn key_id(&self, name: &str) -> [u8; 4] {
        first4(&[name.as_bytes(), b"\n\x01", &self.0])
    }
}

impl Serialize for SessionPublic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for SessionPublic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = base64::decode(&String::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("not canonical base64"))?;
        bytes.try_into().map(Self).map_err(|_| de::Error::custom("a session key has 32 bytes"))
    }
}

/// The public signing key, as the genesis names it and as a verifier trusts it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SigningPublic {
    spki: Vec<u8>,
}

impl SigningPublic {
    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// When it is not one of a P-256 key.
    pub fn from_spki(spki: &[u8]) -> Result<Self, SignError> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, spki).map_err(|_| SignError::NotAKey)?;
        Ok(Self { spki: spki.to_vec() })
    }

    /// Returns the DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Returns the signature line of `der`, a signature by this key in the given name.
    pub fn line(&self, name: &str, der: Vec<u8>) -> Signature {
        Signature { name: name.to_owned(), key_id: first4(&[&self.spki]), bytes: der }
    }

    /// Returns whether `der` is this key's signature over `text`, with a low s.
    pub fn verifies(&self, text: &[u8], der: &[u8]) -> bool {
        low_s::is_low(der)
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.spki).verify(text, der).is_ok()
    }

    /// Returns whether `signature` is this key's over `text`, in the given name.
    pub fn verifies_line(&self, name: &str, text: &[u8], signature: &Signature) -> bool {
        signature.name == name
            && signature.key_id == first4(&[&self.spki])
            && self.verifies(text, &signature.bytes)
    }
}

/// A private signing key held in a file: what KMS is elsewhere.
pub struct SigningKey(signature::EcdsaKeyPair);

impl SigningKey {
    /// Reads PKCS#8 DER.
    ///
    /// # Errors
    /// When it is not a P-256 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SignError> {
        signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .map(Self)
            .map_err(|_| SignError::NotAKey)
    }

    /// Signs `text`; the result is DER with a low s.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let der = self.0.sign(&random, text).map_err(|_| SignError::Failed)?;
        Ok(low_s::normalise(der.as_ref().to_vec()))
    }

    /// Returns the public half.
    ///
    /// # Errors
    /// When it cannot be written as DER.
    pub fn public(&self) -> Result<SigningPublic, SignError> {
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(self.0.public_key())
            .map_err(|_| SignError::Failed)?;
        SigningPublic::from_spki(spki.as_ref())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Why a key cannot sign or be read.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The bytes are not a key of this kind.
    #[error("not a P-256 signing key")]
    NotAKey,
    /// The library refused.
    #[error("cannot sign")]
    Failed,
}

fn session_key_name(session: SessionId) -> String {
    format!("bg-shell/{session}")
}

fn first4(parts: &[&[u8]]) -> [u8; 4] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_key_signs_for_its_session_only() {
        let key = SessionKey::generate().unwrap();
        let session = SessionId::mint();
        let public = key.public();
        let signature = key.sign(session, b"text");
        assert!(public.verifies(session, b"text", &signature));
        assert!(!public.verifies(session, b"text!", &signature));
        assert!(!public.verifies(SessionId::mint(), b"text", &signature));
    }
}
