//! The configuration file of bg-shell, as far as an auditor needs it: where evidence is, and how AWS is reached.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bg_aws::archive::SCHEME;
use bg_aws::edge::Reach;
use bg_aws::evidence::EvidenceConfig;
use bg_cli::config as file;
use serde::Deserialize;

use crate::failure::Failure;

/// What it has for an auditor. What else it says is for bg-shell.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How AWS is reached.
    pub aws: Reach,
    /// Where evidence is, and the names of the keys.
    pub evidence: EvidenceConfig,
    /// The roles' allowed_signers and terms, to compare those of tapes with.
    pub roles: BTreeMap<String, RoleTerms>,
}

/// What of a `[roles.<name>]` section an auditor compares a tape with.
#[derive(Debug, Clone, Deserialize)]
pub struct RoleTerms {
    /// The allowed_signers file of the role.
    pub allowed_signers: Option<PathBuf>,
    /// The IAM role.
    pub arn: Option<String>,
    /// How many people have to approve.
    pub quorum: Option<u64>,
}

impl Config {
    /// Reads the file that was named, else the system's, else the user's, else the defaults.
    ///
    /// # Errors
    /// When a file that was named is missing, or one of the two sections is not as it should be.
    pub fn load(named: Option<&Path>, config_home: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file::find(named, config_home) else { return Ok(Self::default()) };
        file::parse(&path, &file::text(&path)?, "bg-shell config check says more")
    }

    /// Looks into another store than the one that is configured: `s3://…`, or a directory.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn elsewhere(&mut self, store: &str) -> Result<(), Failure> {
        if store.starts_with(SCHEME) {
            self.evidence.store = Some(store.to_owned());
            return Ok(());
        }
        let cannot = |e| Failure::new(format!("cannot look at {store}")).because(e);
        let dir = std::fs::canonicalize(store).map_err(cannot)?;
        let name =
            dir.to_str().ok_or_else(|| Failure::new(format!("{store} has no name in UTF-8")))?;
        self.evidence.store = Some(name.to_owned());
        Ok(())
    }

    /// Reaches the store at another endpoint, which is a server that speaks S3.
    pub fn at(&mut self, endpoint: String) {
        self.evidence.endpoint = Some(endpoint);
        self.evidence.path_style = true;
    }
}
