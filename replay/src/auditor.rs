//! What the auditor has: where the evidence is, whom to trust, which key opens.

use std::path::PathBuf;

use bg_recorder::local_keys::{LocalOpener, read_signing_public};
use bg_recorder::practice::Practice;
use bg_recorder::sign::SigningPublic;

use crate::catalog::{Catalog, Place};
use crate::failure::Failure;

/// What the command line and the environment give.
#[derive(Debug)]
pub struct Auditor {
    /// The practice world, where there can be one.
    pub practice: Option<Practice>,
    /// Files of trusted signing keys; none means the practice world's.
    pub trust: Vec<PathBuf>,
    /// The file of the opening key, where one was given.
    pub key: Option<PathBuf>,
}

impl Auditor {
    /// Returns the tapes of the practice world.
    ///
    /// # Errors
    /// When there can be none.
    pub fn catalog(&self) -> Result<Catalog, Failure> {
        let practice = self.practice.as_ref().ok_or_else(homeless)?;
        Ok(Catalog::new(practice.evidence()))
    }

    /// Finds the tape that the command line names.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn place(&self, name: &str) -> Result<Place, Failure> {
        let path = std::path::Path::new(name);
        if name.contains('/') || path.is_dir() { Place::at(path) } else { self.catalog()?.find(name) }
    }

    /// Reads the trusted signing keys. None at all is not an error: the verdict says it.
    ///
    /// # Errors
    /// When a key is unreadable.
    pub fn trusted(&self) -> Result<Vec<SigningPublic>, Failure> {
        let mut files = self.trust.clone();
        if files.is_empty() {
            files.extend(self.practice.as_ref().map(Practice::trust_key).filter(|file| file.exists()));
        }
        let hint = "--trust takes the signing key's public half, a PEM file such as keys/sign.pub.pem";
        let failed = |e| Failure::blind("cannot use a trusted key").because(e).hint(hint);
        files.iter().map(|file| read_signing_public(file).map_err(failed)).collect()
    }

    /// Reads the opening key.
    ///
    /// # Errors
    /// When there is none, or it is unreadable.
    pub fn opener(&self) -> Result<LocalOpener, Failure> {
        let file = self
            .key
            .clone()
            .or_else(|| self.practice.as_ref().map(Practice::open_key))
            .ok_or_else(homeless)?;
        let hint = "--key FILE names the opening key (PEM); `bg-replay verify` needs none";
        LocalOpener::from_file(&file)
            .map_err(|e| Failure::blind("cannot open the tape without its opening key").because(e).hint(hint))
    }
}

fn homeless() -> Failure {
    Failure::blind("there is no practice world: neither XDG_STATE_HOME nor HOME is an absolute path")
        .hint("set HOME, or name the session's directory, --trust FILE and --key FILE")
}
