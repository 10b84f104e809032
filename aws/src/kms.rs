//! The keys in KMS: data keys under the encryption context of FORMAT.md 7, signatures, and opening for auditors.

use std::path::PathBuf;

use bg_recorder::keys::{KeyError, KeyRing, KeyService, MintedKey, WrapContext};

use crate::edge::Edge;

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsConfig {
    /// The symmetric key that data keys come from.
    pub data: String,
    /// The ECC_NIST_P256 key that signs.
    pub sign: String,
    /// A PEM file of an RSA public key.
    pub escrow: Option<PathBuf>,
}

/// What a recording host may do: kms:GenerateDataKey and kms:Sign.
#[derive(Debug)]
pub struct KmsKeys {
    ring: KeyRing,
}

impl KmsKeys {
    /// Opens the keys: asks for the public half of the signing key.
    ///
    /// # Errors
    /// When KMS does not give it, or the escrow key is unreadable.
    pub fn open(_config: &KmsConfig, _edge: &Edge) -> Result<Self, KeyError> {
        todo!()
    }
}

impl KeyService for KmsKeys {
    fn ring(&self) -> &KeyRing {
        &self.ring
    }

    fn mint(&self, _context: &WrapContext) -> Result<MintedKey, KeyError> {
        todo!()
    }

    fn sign(&self, _text: &[u8]) -> Result<Vec<u8>, KeyError> {
        todo!()
    }
}
