//! The evidence world that a configuration names: store, keys, spool. Without one it is the practice world.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bg_recorder::keys::local::LocalKeys;
use bg_recorder::keys::{KeyError, KeyService};
use bg_recorder::practice::Practice;
use bg_recorder::store::ObjectStore;

use crate::archive::Archive;
use crate::edge::{Edge, Reach};
use crate::kms::{KmsConfig, KmsKeys};
pub use crate::settings::{EvidenceConfig, EvidenceError};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::S3Config;
    use crate::settings::Lock;

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
