//! The standby key: a key file of the recording host, which signs where the key service cannot be reached (FORMAT.md 4).

use std::path::Path;

use crate::format::genesis::SignKey;
use crate::format::note::Signature;
use crate::format::sign::{SignError, SigningKey, SigningPublic};
use crate::keys::pem::{LocalKeyError, read_signing};

/// A signing key beside the one that is trusted by default.
#[derive(Debug)]
pub struct Standby {
    key: SigningKey,
    public: SigningPublic,
}

impl Standby {
    /// Reads a private P-256 key (PKCS#8 PEM).
    ///
    /// # Errors
    /// When the file is missing, unreadable, or no such key.
    pub fn from_file(path: &Path) -> Result<Self, LocalKeyError> {
        let key = read_signing(path)?;
        let public = key.public()?;
        Ok(Self { key, public })
    }

    /// Returns the public half.
    pub fn public(&self) -> &SigningPublic {
        &self.public
    }

    /// Returns what a genesis says of it.
    pub fn named(&self) -> SignKey {
        SignKey::of(STANDBY_NAME, &self.public)
    }

    /// Signs; the result is DER with a low s.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(text)
    }

    /// Returns its signature line over `text`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn line(&self, text: &[u8]) -> Result<Signature, SignError> {
        Ok(self.public.line(STANDBY_NAME, self.sign(text)?))
    }
}

/// What it is called on tapes; which one it is, its `spki` says.
pub const STANDBY_NAME: &str = "bg-shell/standby";
