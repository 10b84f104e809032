//! What a versioned bucket keeps besides an object: further versions, and delete markers. Create-only puts leave
//! neither, so each is a finding; Object Lock keeps versions, but does not keep markers from being put over them.

use std::collections::BTreeMap;

use bg_recorder::store::StoreError;

use crate::fault::CallError;
use crate::s3::{S3Store, failed};

/// The versions of an object that has more than one, or that somebody deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    pub key: String,
    /// All that were written, the first one first.
    pub versions: Vec<Version>,
    /// Whether a delete marker was put over one of them.
    pub deleted: bool,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub id: String,
    pub len: u64,
}

impl S3Store {
    /// Returns what there is below a prefix beyond one version of each object, by key.
    ///
    /// # Errors
    /// When the versions cannot be listed.
    pub fn surplus(&self, prefix: &str) -> Result<Vec<History>, StoreError> {
        let below = self.below(prefix)?;
        let (_, _, edge) = self.reached();
        edge.wait(self.found(&below)).map_err(|call| failed("list the versions of", prefix, call))
    }

    async fn found(&self, below: &str) -> Result<Vec<History>, CallError> {
        let (client, bucket, _) = self.reached();
        let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
        let mut after: Option<(String, Option<String>)> = None;
        loop {
            let (key, version) = after.clone().unzip();
            let request = client.list_object_versions().bucket(bucket).prefix(below);
            let request = request.set_key_marker(key).set_version_id_marker(version.flatten());
            let page =
                request.send().await.map_err(|e| CallError::new("s3:ListBucketVersions", &e))?;
            for version in page.versions() {
                let Some(key) = self.key(version.key()) else { continue };
                let written = version.last_modified().map_or(0, |at| at.secs());
                let id = version.version_id().unwrap_or_default().to_owned();
                let len = version.size().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
                let seen = seen.entry(key.to_owned()).or_default();
                seen.versions.push((written, Version { id, len }));
            }
            for key in page.delete_markers().iter().filter_map(|marker| self.key(marker.key())) {
                seen.entry(key.to_owned()).or_default().deleted = true;
            }
            let next = page
                .next_key_marker()
                .map(|key| (key.to_owned(), page.next_version_id_marker().map(ToOwned::to_owned)));
            match next {
                // A server that gives the same mark again would keep us here for ever.
                Some(next)
                    if page.is_truncated() == Some(true) && after.as_ref() != Some(&next) =>
                {
                    after = Some(next);
                }
                _ => break,
            }
        }
        let beyond = seen.into_iter().filter(|(_, seen)| seen.deleted || seen.versions.len() > 1);
        Ok(beyond.map(|(key, seen)| seen.history(key)).collect())
    }
}

/// What was listed of one key: when each version was written, the newest first.
#[derive(Default)]
struct Seen {
    versions: Vec<(i64, Version)>,
    deleted: bool,
}

impl Seen {
    fn history(mut self, key: String) -> History {
        self.versions.reverse();
        self.versions.sort_by_key(|(written, _)| *written);
        let versions = self.versions.into_iter().map(|(_, version)| version).collect();
        History { key, versions, deleted: self.deleted }
    }
}
