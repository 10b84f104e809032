//! Where evidence is kept: a bucket or a directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bg_recorder::dir::DirStore;
use bg_recorder::store::ObjectStore;

use crate::edge::{Edge, Reach};
use crate::s3::{S3Config, S3Store};
pub use crate::settings::SCHEME;
use crate::settings::{EvidenceConfig, EvidenceError};

/// An evidence store that was found.
#[derive(Clone)]
pub struct Archive {
    pub store: Arc<dyn ObjectStore>,
    /// The same as a bucket, where it is one: versions are looked at there.
    pub bucket: Option<Arc<S3Store>>,
    /// How a person calls it.
    pub name: String,
}

impl Archive {
    /// Opens the store that is configured. Nothing is called yet.
    ///
    /// # Errors
    /// When none is configured, it is neither a bucket nor an absolute directory, or AWS cannot be called at all.
    pub fn open(config: &EvidenceConfig, aws: &Reach) -> Result<Self, EvidenceError> {
        let name = config.store.as_deref().unwrap_or_default();
        if name.starts_with(SCHEME) {
            let s3 = S3Config::parse(name, config)?;
            let bucket = Arc::new(S3Store::open(s3, &Edge::open(&config.reach(aws))?));
            let store = Arc::clone(&bucket) as Arc<dyn ObjectStore>;
            return Ok(Self { store, bucket: Some(bucket), name: name.to_owned() });
        }
        if Path::new(name).is_absolute() {
            return Ok(Self::dir(PathBuf::from(name)));
        }
        Err(EvidenceError::NotAStore(name.to_owned()))
    }

    /// Takes a directory.
    pub fn dir(path: PathBuf) -> Self {
        let name = path.display().to_string();
        Self { store: Arc::new(DirStore::new(path)), bucket: None, name }
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Archive({})", self.name)
    }
}
