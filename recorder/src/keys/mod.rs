//! Who signs, who mints and who opens: what the recording host may do with keys, and what an auditor may.

pub mod local;
pub mod pem;
pub mod practice;
pub mod standby;

use std::iter;
use std::sync::Arc;

use crate::format::genesis::WrapKey;
use crate::format::note::Signature;
use crate::format::sign::SigningPublic;
use crate::keys::standby::Standby;

pub use crate::format::epoch_key::{KeyError, Ratchet, Secret, SegmentKey, Wrap, WrapContext};

/// A fresh epoch key with its wraps.
#[derive(Debug)]
pub struct MintedKey {
    /// The key, to be dropped once it is ratcheted.
    pub key: Secret,
    /// One wrap for each entry of `keys.wrap`; without KMS, for those of RSA.
    pub wraps: Vec<Wrap>,
    /// Why it was made without KMS, if it was.
    pub alone: Option<String>,
}

/// The `keys.sign` and `keys.wrap` of a genesis.
#[derive(Debug, Clone)]
pub struct KeyRing {
    /// The signing key's name.
    pub sign_name: String,
    /// The signing key.
    pub sign: SigningPublic,
    /// Who will be able to open: name, algorithm, hex SHA-256 of the public key.
    pub wrap: Vec<WrapKey>,
    /// What signs a seal where the signing key cannot be reached.
    pub standby: Option<Arc<Standby>>,
    /// Whose signatures are taken besides: standby keys of other hosts, or the signing key itself while it is away.
    pub also: Vec<SigningPublic>,
}

impl KeyRing {
    /// Returns all keys whose signatures are taken.
    pub fn trusted(&self) -> Vec<SigningPublic> {
        let standby = self.standby.iter().map(|standby| standby.public());
        iter::once(&self.sign).chain(standby).chain(&self.also).cloned().collect()
    }

    /// Returns whether a signature line over `text` is by the signing key, or by a standby key.
    pub fn vouches(&self, text: &[u8], line: &Signature) -> bool {
        let also = |key: &SigningPublic| key.verifies_line(&line.name, text, line);
        self.sign.verifies_line(&self.sign_name, text, line)
            || self.trusted().iter().skip(1).any(also)
    }
}

/// What a recording host may do with keys. There is no way to open one here.
pub trait KeyService: Send {
    /// Says which keys these are.
    fn ring(&self) -> &KeyRing;

    /// Mints an epoch key bound to `context`.
    ///
    /// # Errors
    /// When no key can be had.
    fn mint(&self, context: &WrapContext) -> Result<MintedKey, KeyError>;

    /// Signs with the signing key; the result is DER with a low s (`low_s::normalise`): no other verifies.
    ///
    /// # Errors
    /// When no signature can be had.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError>;
}

/// What an auditor may do: turn wraps back into the key they were made for.
pub trait KeyOpener {
    /// Opens one of the wraps. `keys` is `keys.wrap` of the genesis, which says for each of them whose it is.
    ///
    /// # Errors
    /// When none of them is for this opener, or the context is another one.
    fn open(
        &self,
        context: &WrapContext,
        keys: &[WrapKey],
        wraps: &[Wrap],
    ) -> Result<Secret, KeyError>;
}

/// Returns the wrap that is for one of our keys.
///
/// # Errors
/// When none is, or it is not what the genesis says.
pub fn ours_of<'w>(
    keys: &[WrapKey],
    wraps: &'w [Wrap],
    ours: impl Fn(&WrapKey) -> bool,
) -> Result<&'w Wrap, KeyError> {
    let key = keys.iter().find(|key| ours(key));
    let wrap = key.and_then(|key| Some((key, wraps.iter().find(|wrap| wrap.key == key.name)?)));
    match wrap {
        Some((key, wrap)) if wrap.alg == key.alg => Ok(wrap),
        Some(_) => Err(KeyError::DoesNotOpen),
        None => {
            let names: Vec<&str> = wraps.iter().map(|wrap| wrap.key.as_str()).collect();
            Err(KeyError::NotForUs(names.join(", ")))
        }
    }
}
