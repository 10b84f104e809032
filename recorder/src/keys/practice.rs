//! The practice world: evidence, keys and spool in one state directory, with the same tape as everywhere.

use std::path::{Path, PathBuf};

use crate::keys::local::{OPEN_FILE, TRUST_FILE};

/// The places of a practice world, all below one directory.
#[derive(Debug, Clone)]
pub struct Practice {
    /// `$XDG_STATE_HOME/bg-shell`; the command lines find it.
    pub root: PathBuf,
}

impl Practice {
    /// Returns where evidence is kept.
    pub fn evidence(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// Returns where spools are.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// Returns where keys are.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Returns the key file that opens tapes.
    pub fn open_key(&self) -> PathBuf {
        self.keys().join(OPEN_FILE)
    }

    /// Returns the public signing key that verifiers trust.
    pub fn trust_key(&self) -> PathBuf {
        self.keys().join(TRUST_FILE)
    }

    /// Finds the state directory from the values of `XDG_STATE_HOME` and `HOME` (XDG base directory
    /// specification: a relative value is ignored).
    pub fn find(xdg_state_home: Option<&Path>, home: Option<&Path>) -> Option<Self> {
        let state = xdg_state_home.filter(|path| path.is_absolute()).map(Path::to_owned);
        let state = state.or_else(|| {
            home.filter(|path| path.is_absolute()).map(|home| home.join(".local/state"))
        })?;
        Some(Self { root: state.join("bg-shell") })
    }
}
