//! The evidence store on S3, or on what speaks S3: create-only puts with their SHA-256, locked where configured.

use bg_recorder::store::{Entry, ObjectStore, StoreError};
use serde::Deserialize;

use crate::edge::Edge;
use crate::evidence::{EvidenceConfig, EvidenceError};

/// How objects are locked (S3 Object Lock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    /// Nobody can shorten it, the account's root included.
    Compliance,
    /// Who has s3:BypassGovernanceRetention can.
    Governance,
}

/// Which bucket, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// The prefix of all keys: empty, or with its final slash.
    pub prefix: String,
    /// The bucket stands in the path.
    pub path_style: bool,
    /// Mode and days.
    pub lock: Option<(Lock, u32)>,
}

impl S3Config {
    /// Reads `s3://bucket/prefix` and what else the section says.
    ///
    /// # Errors
    /// When it is no such URL, or half of the lock is missing.
    pub fn parse(url: &str, config: &EvidenceConfig) -> Result<Self, EvidenceError> {
        let rest = url.strip_prefix("s3://").ok_or_else(|| EvidenceError::NotAStore(url.to_owned()))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let lock = match (config.object_lock, config.object_lock_days) {
            (Some(mode), Some(days)) => Some((mode, days)),
            (None, None) => None,
            _ => return Err(EvidenceError::HalfOfTheLock),
        };
        Ok(Self { bucket: bucket.to_owned(), prefix, path_style: config.path_style, lock })
    }
}

/// A bucket.
#[derive(Debug)]
pub struct S3Store {
    config: S3Config,
    edge: Edge,
}

impl S3Store {
    /// Takes a bucket. Nothing is called yet.
    pub fn open(config: S3Config, edge: &Edge) -> Self {
        Self { config, edge: edge.clone() }
    }
}

impl ObjectStore for S3Store {
    fn put_new(&self, _key: &str, _bytes: &[u8]) -> Result<(), StoreError> {
        todo!()
    }

    fn get(&self, _key: &str, _max: u64) -> Result<Vec<u8>, StoreError> {
        todo!()
    }

    fn list(&self, _prefix: &str) -> Result<Vec<Entry>, StoreError> {
        todo!()
    }
}
