//! The evidence world that a configuration names: store, keys, spool. Without one it is the practice world.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bg_recorder::keys::local::LocalKeys;
use bg_recorder::keys::{KeyError, KeyService};
use bg_recorder::practice::Practice;
use bg_recorder::store::ObjectStore;
use serde::Deserialize;

use crate::archive::{Archive, SCHEME};
use crate::edge::{Edge, EdgeError, Reach};
use crate::kms::{KmsConfig, KmsKeys};
use crate::s3::Lock;

/// The `[evidence]` section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceConfig {
    /// `s3://bucket/prefix`, or an absolute directory. None: the practice world's.
    pub store: Option<String>,
    /// The region of the bucket, where it is not that of `[aws]`.
    pub region: Option<String>,
    /// The endpoint of an S3-compatible server.
    pub endpoint: Option<String>,
    /// The certificates of that endpoint, a PEM file.
    pub ca: Option<PathBuf>,
    /// The profile whose credentials store evidence, where it is not that of `[aws]`.
    pub profile: Option<String>,
    /// Names the bucket in the path, as most S3-compatible servers want it.
    pub path_style: bool,
    /// The KMS key that epoch keys are minted with: an ARN or an alias. None: key files in the state directory.
    pub kms_key: Option<String>,
    /// The KMS key (ECC_NIST_P256) that signs. Needed with `kms_key`.
    pub signing_key: Option<String>,
    /// An RSA public key (PEM) to which epoch keys are wrapped besides, for the day KMS is gone.
    pub escrow: Option<PathBuf>,
    /// A P-256 private key (PEM) of this host, which signs while KMS is gone: seals, and whole sessions where
    /// `start_keyless` lets them begin then.
    pub standby: Option<PathBuf>,
    /// P-256 public keys (PEM) that are trusted besides `signing_key`: the standby keys of all hosts; and its own, where
    /// facts that it has signed are to be believed while KMS is gone.
    pub trusted: Vec<PathBuf>,
    /// Object Lock for every object.
    pub object_lock: Option<Lock>,
    /// For how many days.
    pub object_lock_days: Option<u32>,
    /// Where spools and the host's session count are. None: the user's state directory.
    pub state: Option<PathBuf>,
}

impl EvidenceConfig {
    /// Returns how the bucket is reached.
    pub(crate) fn reach(&self, aws: &Reach) -> Reach {
        let own = Reach {
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            ca: self.ca.clone(),
            profile: self.profile.clone(),
        };
        own.or(aws)
    }

    /// Returns where the host keeps its count, its spools and its key files.
    pub fn state_dir(&self, practice: &Practice) -> PathBuf {
        self.state.clone().unwrap_or_else(|| practice.root.clone())
    }

    /// Refuses what would be silently without effect, or half of something.
    fn check(&self) -> Result<(), EvidenceError> {
        let on_s3 = self.store.as_deref().is_some_and(|store| store.starts_with(SCHEME));
        let only_s3 = [
            ("region", self.region.is_some()),
            ("endpoint", self.endpoint.is_some()),
            ("ca", self.ca.is_some()),
            ("profile", self.profile.is_some()),
            ("path_style", self.path_style),
            ("object_lock", self.object_lock.is_some()),
            ("object_lock_days", self.object_lock_days.is_some()),
        ];
        if let Some((name, _)) = only_s3.iter().find(|(_, given)| *given && !on_s3) {
            return Err(EvidenceError::NeedsS3(name));
        }
        if self.kms_key.is_some() != self.signing_key.is_some() {
            return Err(EvidenceError::HalfOfTheKeys);
        }
        let beside_kms = [("escrow", self.escrow.is_some()), ("standby", self.standby.is_some())];
        if let Some((name, _)) =
            beside_kms.iter().find(|(_, given)| *given && self.kms_key.is_none())
        {
            return Err(EvidenceError::NeedsKms(name));
        }
        let relative = |path: &&PathBuf| !path.is_absolute();
        let paths = [&self.state, &self.escrow, &self.standby, &self.ca].into_iter().flatten();
        match paths.chain(&self.trusted).find(relative) {
            Some(path) => Err(EvidenceError::Relative(path.clone())),
            None => Ok(()),
        }
    }
}

/// Where evidence goes, and the keys it is sealed and signed with.
pub struct Evidence {
    archive: Archive,
    state: PathBuf,
    keys: Keys,
}

/// Where the keys are.
enum Keys {
    Files(PathBuf),
    Kms(Box<(KmsConfig, Edge)>),
}

impl Evidence {
    /// Opens the world that is configured, or the practice world. Nothing is called yet.
    ///
    /// # Errors
    /// When the configuration is not whole, or AWS cannot be called at all.
    pub fn open(
        config: &EvidenceConfig,
        aws: &Reach,
        practice: &Practice,
    ) -> Result<Self, EvidenceError> {
        config.check()?;
        let state = config.state_dir(practice);
        let archive = match &config.store {
            None => Archive::dir(practice.evidence()),
            Some(_) => Archive::open(config, aws)?,
        };
        let keys = match (&config.kms_key, &config.signing_key) {
            (Some(data), Some(sign)) => {
                let kms = KmsConfig {
                    data: data.clone(),
                    sign: sign.clone(),
                    escrow: config.escrow.clone(),
                    standby: config.standby.clone(),
                    trusted: config.trusted.clone(),
                };
                Keys::Kms(Box::new((kms, Edge::open(aws)?)))
            }
            _ => Keys::Files(state.join("keys")),
        };
        Ok(Self { archive, state, keys })
    }

    /// Returns the evidence store.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.archive.store)
    }

    /// Returns where the host keeps its count and its spools.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Returns where spools are.
    pub fn spool(&self) -> PathBuf {
        self.state.join("spool")
    }

    /// Opens the keys as a recording host may use them.
    ///
    /// # Errors
    /// When they are unusable.
    pub fn keys(&self) -> Result<Box<dyn KeyService>, KeyError> {
        Ok(match &self.keys {
            Keys::Files(dir) => {
                let unusable = |e| KeyError::Failed(Box::new(e));
                Box::new(LocalKeys::open_or_create(dir).map_err(unusable)?)
            }
            Keys::Kms(kms) => Box::new(KmsKeys::open(&kms.0, &kms.1)?),
        })
    }

    /// Opens the keys of a session that begins without KMS, because of `why`.
    ///
    /// # Errors
    /// When there is no escrow key, or no standby key.
    pub fn keys_alone(&self, why: &str) -> Result<Box<dyn KeyService>, KeyError> {
        match &self.keys {
            Keys::Files(_) => self.keys(),
            Keys::Kms(kms) => Ok(Box::new(KmsKeys::alone(&kms.0, &kms.1, why)?)),
        }
    }
}

/// Why there is no evidence world.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Neither S3 nor a directory.
    #[error("evidence.store is {0:?}: neither s3://bucket/prefix nor an absolute directory")]
    NotAStore(String),
    /// Something that only a bucket has.
    #[error("evidence.{0} has no meaning unless evidence.store is s3://…")]
    NeedsS3(&'static str),
    /// One KMS key without the other.
    #[error("evidence needs both kms_key and signing_key, or neither")]
    HalfOfTheKeys,
    /// Key files are an escrow and a standby already.
    #[error("evidence.{0} needs kms_key and signing_key")]
    NeedsKms(&'static str),
    /// Object Lock needs a mode and days.
    #[error("evidence.object_lock needs object_lock_days, and the other way round")]
    HalfOfTheLock,
    /// A lock for no day, or for longer than S3 has.
    #[error("evidence.object_lock_days is {0}: at least 1, at most 36500")]
    LockDays(u32),
    /// A path that depends on where one stands.
    #[error("{path} in [evidence] is not an absolute path", path = .0.display())]
    Relative(PathBuf),
    /// AWS cannot be called.
    #[error(transparent)]
    Edge(#[from] EdgeError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::S3Config;

    fn refusal(config: EvidenceConfig) -> String {
        let practice = Practice { root: "/nonexistent".into() };
        Evidence::open(&config, &Reach::default(), &practice)
            .err()
            .map_or_else(String::new, |e| e.to_string())
    }

    fn on_s3() -> EvidenceConfig {
        EvidenceConfig { store: Some("s3://bucket/prefix".into()), ..EvidenceConfig::default() }
    }

    #[test]
    fn what_has_no_effect_or_is_half_is_refused() {
        let dir =
            || EvidenceConfig { store: Some("/evidence".into()), ..EvidenceConfig::default() };
        let key = || Some("arn:aws:kms:r:a:key/k".to_owned());
        let cases = [
            (
                EvidenceConfig { endpoint: Some("http://x".into()), ..dir() },
                "evidence.endpoint has no meaning",
            ),
            (
                EvidenceConfig { path_style: true, ..EvidenceConfig::default() },
                "evidence.path_style",
            ),
            (
                EvidenceConfig { object_lock: Some(Lock::Compliance), ..dir() },
                "evidence.object_lock",
            ),
            (
                EvidenceConfig { object_lock: Some(Lock::Governance), ..on_s3() },
                "needs object_lock_days",
            ),
            (EvidenceConfig { kms_key: key(), ..on_s3() }, "both kms_key and signing_key"),
            (EvidenceConfig { signing_key: key(), ..dir() }, "both kms_key and signing_key"),
            (EvidenceConfig { escrow: Some("/e.pem".into()), ..on_s3() }, "evidence.escrow needs"),
            (
                EvidenceConfig { standby: Some("/s.pem".into()), ..on_s3() },
                "evidence.standby needs",
            ),
            (EvidenceConfig { trusted: vec!["s.pem".into()], ..on_s3() }, "not an absolute path"),
            (EvidenceConfig { state: Some("state".into()), ..dir() }, "not an absolute path"),
            (
                EvidenceConfig { store: Some("evidence".into()), ..EvidenceConfig::default() },
                "neither s3://",
            ),
            (
                EvidenceConfig { store: Some("s3://".into()), ..EvidenceConfig::default() },
                "neither s3://",
            ),
            (
                EvidenceConfig {
                    store: Some("s3://bucket/a//b".into()),
                    ..EvidenceConfig::default()
                },
                "neither",
            ),
            (
                EvidenceConfig {
                    store: Some("s3://bucket/../b".into()),
                    ..EvidenceConfig::default()
                },
                "neither",
            ),
        ];
        for (config, expected) in cases {
            let said = refusal(config.clone());
            assert!(said.contains(expected), "{config:?}: {said}");
        }
    }

    #[test]
    fn a_lock_has_a_mode_and_its_days() {
        let locked = |days| EvidenceConfig {
            object_lock: Some(Lock::Compliance),
            object_lock_days: Some(days),
            ..on_s3()
        };
        let parse = |days| S3Config::parse("s3://bucket", &locked(days));
        assert_eq!(parse(36_500).map(|s3| s3.lock).ok(), Some(Some((Lock::Compliance, 36_500))));
        assert!(matches!(parse(0), Err(EvidenceError::LockDays(0))));
        assert!(matches!(parse(36_501), Err(EvidenceError::LockDays(36_501))));
    }

    #[test]
    fn a_prefix_ends_with_one_slash_or_is_none() {
        for (url, prefix) in
            [("s3://bucket", ""), ("s3://bucket/", ""), ("s3://bucket/a/b//", "a/b/")]
        {
            let s3 = S3Config::parse(url, &EvidenceConfig::default()).ok();
            assert_eq!(
                s3.map(|s3| (s3.bucket, s3.prefix)),
                Some(("bucket".into(), prefix.into())),
                "{url}"
            );
        }
    }
}
