//! The evidence store: where objects go and never leave.

pub mod abreast;
pub mod ahead;
pub mod dir;
pub mod tape;

use std::io;

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
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError>;
}

/// One listed thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub len: u64,
    /// Whether it is an object at all: a symlink or a fifo is not, nor is a directory, which is listed only where
    /// nobody could look into it.
    pub object: bool,
}

impl Listed {
    /// Returns whether it is a directory that could not be looked into: what is below it is not known.
    pub fn dark(&self) -> bool {
        !self.object && self.key.ends_with('/')
    }
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
        /// Why. [`io::ErrorKind::PermissionDenied`]: it is there, and refuses.
        source: io::Error,
    },
}

impl StoreError {
    /// Returns with what words a store refuses that is there: waiting does not help then.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Failed { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(source.to_string())
            }
            _ => None,
        }
    }
}

/// Checks a key: parts between single slashes, none of them `.` or `..`, without control characters.
///
/// # Errors
/// [`StoreError::NotAKey`] when it is none.
pub fn check_key(key: &str) -> Result<(), StoreError> {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    let fits =
        key.len() <= KEY_LEN_MAX && key.split('/').all(plain) && !key.contains(char::is_control);
    if fits { Ok(()) } else { Err(StoreError::NotAKey(key.to_owned())) }
}

/// What S3 takes, in bytes of UTF-8.
const KEY_LEN_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_one_path_below_any_root_and_no_other_key_is_the_same_one(key in "[a-z./\\\\ \u{0}-\u{1f}é]{0,12}") {
            if check_key(&key).is_ok() {
                let parts: Vec<_> = Path::new(&key).components().collect();
                prop_assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))));
                let again: Vec<_> = parts.iter().map(|part| part.as_os_str().to_str().unwrap()).collect();
                prop_assert_eq!(again.join("/"), key);
            }
        }

        #[test]
        fn any_part_that_climbs_spoils_a_key(before in "([a-z]{1,3}/){0,3}", after in "(/[a-z]{1,3}){0,3}") {
            for part in ["..", ".", "", "\n", "\0"] {
                let key = format!("{before}{part}{after}");
                prop_assert!(check_key(&key).is_err());
            }
        }
    }

    #[test]
    fn keys_end_at_the_length_that_s3_has() {
        assert!(check_key(&"k".repeat(KEY_LEN_MAX)).is_ok());
        assert!(check_key(&"k".repeat(KEY_LEN_MAX + 1)).is_err());
    }
}
