//! Epoch keys: what they are bound to, and the ratchet that makes one key a segment of them (FORMAT.md 7).

use aws_lc_rs::hkdf;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::format::chain::Link;
use crate::format::session::SessionId;
use crate::format::sign::SignError;

/// 32 secret bytes. It prints as `Secret(..)`, is not cloned, and is zeroed when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a fresh one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| KeyError::Unavailable("no randomness".into()))?;
        Ok(Self(bytes))
    }

    /// Lends the bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What an epoch key is bound to. As KMS encryption context, these four pairs stand in CloudTrail in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrapContext {
    /// The session.
    pub session: SessionId,
    /// The epoch's number.
    pub epoch: u32,
    /// The newest link when the key was asked for.
    pub link: Link,
}

impl WrapContext {
    /// Returns the four pairs, in the order of their names.
    pub fn pairs(&self) -> [(&'static str, String); 4] {
        [
            ("bg:epoch", self.epoch.to_string()),
            ("bg:link", self.link.to_string()),
            ("bg:session", self.session.to_string()),
            ("bg:v", "1".to_owned()),
        ]
    }

    /// Returns the RSA-OAEP label: the pairs, each on a line.
    pub fn label(&self) -> Vec<u8> {
        self.pairs()
            .iter()
            .flat_map(|(name, value)| format!("{name}={value}\n").into_bytes())
            .collect()
    }
}

/// One encryption of an epoch key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrap {
    /// The wrapping key's name.
    pub key: String,
    /// The algorithm, as `keys.wrap` of the genesis has it.
    pub alg: String,
    /// Base64.
    pub wrapped: String,
}

/// The per-segment ratchet inside an epoch. Stepping erases what came before.
#[derive(Debug)]
pub struct Ratchet(Secret);

impl Ratchet {
    /// Begins an epoch; the epoch key is dropped with this call.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn begin(key: Secret, session: SessionId, epoch: u32) -> Result<Self, KeyError> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, session.as_bytes());
        expand(&salt.extract(key.expose()), &[b"bg/v1/epoch", &epoch.to_be_bytes()]).map(Self)
    }

    /// Returns the key and the commitment of this step's segment, and moves to the next step.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn step(&mut self) -> Result<SegmentKey, KeyError> {
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, self.0.expose());
        let key = expand(&prk, &[b"bg/v1/segment"])?;
        let commitment = *expand(&prk, &[b"bg/v1/commit"])?.expose();
        self.0 = expand(&prk, &[b"bg/v1/next"])?;
        Ok(SegmentKey { key, commitment })
    }
}

/// The key of one segment, and the public value that commits to it.
#[derive(Debug)]
pub struct SegmentKey {
    /// For AES-256-GCM.
    pub key: Secret,
    /// Stands in the segment's header.
    pub commitment: [u8; 32],
}

/// Why a key operation failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The service did not do it.
    #[error("key service: {0}")]
    Unavailable(String),
    /// The service was asked, and failed or refused.
    #[error("key service")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// This opener has no key for any of the wraps.
    #[error("this key does not open this tape, or this part of it (it is wrapped to {0})")]
    NotForUs(String),
    /// A key was found, and it does not open the wrap.
    #[error("the wrapped key does not open: another key, or another context")]
    DoesNotOpen,
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

fn expand(prk: &hkdf::Prk, info: &[&[u8]]) -> Result<Secret, KeyError> {
    let refused = |_| KeyError::Unavailable("HKDF refused".into());
    let mut bytes = [0; 32];
    prk.expand(info, hkdf::HKDF_SHA256).map_err(refused)?.fill(&mut bytes).map_err(refused)?;
    Ok(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_key_and_commitment() {
        let mut ratchet = Ratchet::begin(Secret::new([7; 32]), SessionId::mint(), 0).unwrap();
        let a = ratchet.step().unwrap();
        let b = ratchet.step().unwrap();
        assert_ne!(a.key.expose(), b.key.expose());
        assert_ne!(a.commitment, b.commitment);
        assert_ne!(a.key.expose(), &a.commitment);
    }

    #[test]
    fn the_label_is_that_of_the_format() {
        let context =
            WrapContext { session: SessionId::mint(), epoch: 3, link: Link::genesis(b"") };
        let text = format!(
            "bg:epoch=3\nbg:link={}\nbg:session={}\nbg:v=1\n",
            context.link, context.session
        );
        assert_eq!(context.label(), text.into_bytes());
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new([7; 32])), "Secret(..)");
    }
}
