//! The genesis: who, why, where, with which keys (FORMAT.md 5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::format::base64;
use crate::format::chain::{Digest, Link};
use crate::format::once;
use crate::format::session::SessionId;
use crate::format::sign::{SessionPublic, SigningPublic};
use crate::format::stamp::Stamp;

/// What a genesis says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Genesis {
    /// The session.
    pub session: SessionId,
    /// When it was made.
    pub created: Stamp,
    /// Boot time when it was made, in microseconds: time 0 of the asciicast.
    pub boot_us: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Always 1.
    pub suite: u16,
    /// The recording host and its session count.
    pub host: Host,
    /// The recorder's limits.
    pub limits: Limits,
    /// All keys.
    pub keys: Keys,
    /// What the broker declares of the session.
    #[serde(deserialize_with = "once::map")]
    pub about: Map<String, Value>,
}

/// The recording host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Made once for a state directory.
    pub id: String,
    /// The host's name.
    pub name: String,
    /// Counts the host's sessions from 1.
    pub seq: u64,
    /// The session before, so that one that was wholly deleted leaves a hole.
    #[serde(deserialize_with = "once::nullable")]
    pub previous: Option<Previous>,
}

impl Host {
    /// Returns whether its count begins with 1, and names the session before each but the first.
    pub fn counts(&self) -> bool {
        match &self.previous {
            None => self.seq == 1,
            Some(previous) => previous.seq > 0 && previous.seq.checked_add(1) == Some(self.seq),
        }
    }
}

/// The host's session before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its id.
    pub session: SessionId,
    /// Its count.
    pub seq: u64,
    /// Which of its links.
    pub at: At,
    /// That link.
    pub link: Link,
}

/// Which link of the session before is named: it may not have ended yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// Its link 0.
    Genesis,
    /// Its last link.
    End,
}

/// The recorder's limits, in milliseconds and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The longest a segment stays open.
    pub segment_ms: u64,
    /// A segment closes once it is this large.
    pub segment_bytes: u64,
    /// An idle session ships an empty segment this often.
    pub heartbeat_ms: u64,
    /// A key epoch of an active session lasts this long.
    pub epoch_ms: u64,
    /// A key epoch seals at most about this much.
    pub epoch_bytes: u64,
    /// The longest a written frame waits for a sync to begin.
    pub sync_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_ms: 1_000,
            segment_bytes: 1_048_576,
            heartbeat_ms: 10_000,
            epoch_ms: 60_000,
            epoch_bytes: 67_108_864,
            sync_ms: 50,
        }
    }
}

/// The keys of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keys {
    /// Who signs genesis, seal and recovery.
    pub sign: SignKey,
    /// Who signs the seal where that one cannot be reached; the same where the session began so.
    #[serde(default, deserialize_with = "once::present", skip_serializing_if = "Option::is_none")]
    pub standby: Option<SignKey>,
    /// Who can open.
    pub wrap: Vec<WrapKey>,
    /// The first session key.
    pub session: SessionPublic,
}

/// The signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignKey {
    /// Its name on signature lines.
    pub name: String,
    /// `ECDSA-P256-SHA256`.
    pub alg: String,
    /// Base64 of its SubjectPublicKeyInfo.
    pub spki: String,
}

impl SignKey {
    /// Names a key.
    pub fn of(name: &str, key: &SigningPublic) -> Self {
        Self { name: name.to_owned(), alg: SIGN_ALG.into(), spki: base64::encode(key.spki()) }
    }

    /// Returns the key, where it is one of version 1.
    pub fn public(&self) -> Option<SigningPublic> {
        let spki = base64::decode(&self.spki).filter(|_| self.alg == SIGN_ALG)?;
        SigningPublic::from_spki(&spki).ok()
    }
}

/// A key that the session's epoch keys are wrapped to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapKey {
    /// Its name.
    pub name: String,
    /// `RSA-OAEP-SHA256` or `AWS-KMS-SYMMETRIC`.
    pub alg: String,
    /// The SHA-256 of its SubjectPublicKeyInfo; absent where there is no public key.
    #[serde(default, deserialize_with = "once::present", skip_serializing_if = "Option::is_none")]
    pub spki_sha256: Option<Digest>,
}

impl WrapKey {
    /// Returns whether its algorithm is one of version 1, and it says what that algorithm needs and no more.
    pub fn fits(&self) -> bool {
        match self.alg.as_str() {
            WRAP_ALG => self.spki_sha256.is_some(),
            KMS_WRAP_ALG => self.spki_sha256.is_none(),
            _ => false,
        }
    }
}

/// `keys.sign.alg`.
pub const SIGN_ALG: &str = "ECDSA-P256-SHA256";
/// `keys.wrap[].alg` of an RSA public key.
pub const WRAP_ALG: &str = "RSA-OAEP-SHA256";
/// `keys.wrap[].alg` of a symmetric KMS key.
pub const KMS_WRAP_ALG: &str = "AWS-KMS-SYMMETRIC";
