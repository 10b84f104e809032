//! The evidence store: where objects go and never leave.

/// A place objects go and never leave. There is no delete and no overwrite.
pub trait ObjectStore: Send + Sync {
    /// Creates an object, durably, or not at all.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the key is taken, whatever is there.
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Reads an object of at most `max` bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] before anything was read, when it is larger.
    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError>;

    /// Lists what is below a prefix (`a/b/`), sorted by key.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError>;
}

/// One listed thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub len: u64,
    /// Whether it is an object at all: a symlink, a fifo or an empty directory is not.
    pub object: bool,
}

/// Why a store did not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such object.
    #[error("{0} is not there")]
    Missing(String),
    /// The object is over the limit for its kind.
    #[error("{0} is larger than its kind allows")]
    TooLarge(String),
    /// The key is not one that a store takes (`..`, an absolute path, an empty part).
    #[error("{0} is not a key")]
    NotAKey(String),
    /// The store did not answer, or refused.
    #[error("cannot {verb} {key}")]
    Failed {
        /// What was tried.
        verb: &'static str,
        /// On what.
        key: String,
        /// Why.
        source: std::io::Error,
    },
}
