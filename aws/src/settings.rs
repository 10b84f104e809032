//! What a configuration says of evidence: where it is kept and locked, with which keys.

use std::path::PathBuf;

use bg_recorder::practice::Practice;
use serde::Deserialize;

use crate::edge::{EdgeError, Reach};

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

    /// Returns which store this is, in one line that is the same on every machine. AWS's own endpoints lead to the
    /// same buckets; another endpoint is another store.
    pub fn identity(&self, aws: &Reach, practice: &Practice) -> String {
        let Some(store) = &self.store else { return practice.evidence().display().to_string() };
        let store = store.trim_end_matches('/');
        let elsewhere = self.reach(aws).endpoint.filter(|endpoint| !is_amazons(endpoint));
        match elsewhere.filter(|_| store.starts_with(SCHEME)) {
            Some(endpoint) => format!("{store} at {}", endpoint.trim_end_matches('/')),
            None => store.to_owned(),
        }
    }

    /// Returns where the host keeps its count, its spools and its key files.
    pub fn state_dir(&self, practice: &Practice) -> PathBuf {
        self.state.clone().unwrap_or_else(|| practice.root.clone())
    }

    /// Refuses what would be silently without effect, or half of something.
    pub(crate) fn check(&self) -> Result<(), EvidenceError> {
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

/// How objects are locked (S3 Object Lock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    /// Nobody can shorten it, the account's root included.
    Compliance,
    /// Who has s3:BypassGovernanceRetention can.
    Governance,
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

fn is_amazons(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    AMAZONS.iter().any(|domain| host.ends_with(domain))
}

/// The domains of AWS's partitions: the world, China, the European sovereign cloud, those without an internet.
const AMAZONS: [&str; 7] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

/// How the name of a bucket begins.
pub const SCHEME: &str = "s3://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_one_name_everywhere_and_no_other_store_has_it() {
        let practice = Practice { root: "/home/x/bg-shell".into() };
        let named = |store: Option<&str>, endpoint: Option<&str>| {
            let store = store.map(ToOwned::to_owned);
            let endpoint = endpoint.map(ToOwned::to_owned);
            let config = EvidenceConfig { store, endpoint, ..EvidenceConfig::default() };
            config.identity(&Reach::default(), &practice)
        };
        let bucket = named(Some("s3://b/tapes"), None);
        assert_eq!(bucket, named(Some("s3://b/tapes/"), None));
        for private in [
            "https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com/",
            "https://bucket.vpce-1.s3.eusc-de-east-1.vpce.amazonaws.eu/",
        ] {
            assert_eq!(bucket, named(Some("s3://b/tapes"), Some(private)));
        }
        let others = [
            named(Some("s3://b/tapes2"), None),
            named(Some("s3://b/tapes"), Some("https://minio:9000")),
            named(Some("s3://b/tapes"), Some("https://x.amazonaws.com.example.org")),
            named(Some("/evidence"), None),
            named(None, None),
        ];
        for other in others {
            assert_ne!(other, bucket);
        }
    }
}
