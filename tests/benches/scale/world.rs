//! Where evidence goes: a directory and key files, or what a configuration names (S3 and KMS).

use std::path::PathBuf;
use std::sync::Arc;

use bg_aws::evidence::Evidence;
use bg_broker::config::Config;
use bg_recorder::keys::KeyService;
use bg_recorder::practice::Practice;
use bg_recorder::sign::SigningPublic;
use tempfile::TempDir;

use crate::counted::{CountedKeys, CountedStore, KeyCalls};
use crate::load::Kind;

/// The evidence world, and where the brokers keep their spools.
pub struct World {
    pub place: String,
    pub store: Arc<CountedStore>,
    pub calls: Arc<KeyCalls>,
    pub trusted: Vec<SigningPublic>,
    pub state: PathBuf,
    evidence: Evidence,
    _dir: TempDir,
}

impl World {
    /// Opens it. Its spools and a directory store are on the disk that `TMPDIR` names.
    pub fn open(config: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let practice = Practice { root: dir.path().join("state") };
        let read = |path| std::fs::read_to_string(path).expect("a configuration");
        let config: Config =
            toml::from_str(&config.map_or_else(String::new, read)).expect("a configuration");
        let evidence =
            Evidence::open(&config.evidence, &config.aws, &practice).expect("an evidence world");
        let keys = evidence.keys().expect("keys");
        let place = config.evidence.store.clone().unwrap_or_else(|| "a directory".into());
        let place = match &config.evidence.kms_key {
            Some(_) => format!("{place}, keys in KMS"),
            None => format!("{place}, keys in files"),
        };
        Self {
            place,
            store: Arc::new(CountedStore::new(evidence.store())),
            calls: Arc::default(),
            trusted: vec![keys.ring().sign.clone()],
            state: dir.path().join("brokers"),
            evidence,
            _dir: dir,
        }
    }

    /// Opens the keys as a session of this kind uses them.
    pub fn keys(&self, kind: Kind) -> Box<dyn KeyService> {
        let inner = self.evidence.keys().expect("keys");
        Box::new(CountedKeys { inner, calls: Arc::clone(&self.calls), kind })
    }
}
