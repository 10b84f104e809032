//! What a versioned bucket keeps besides an object: older versions, and delete markers. Create-only puts leave
//! neither, so each is a finding; Object Lock keeps versions, but does not keep markers from being put over them.

use std::collections::BTreeSet;

use bg_recorder::store::StoreError;

use crate::fault::CallError;
use crate::s3::{S3Store, failed};

/// Something that create-only puts do not leave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Surplus {
    /// The key that has it.
    pub key: String,
    /// What it is.
    pub kind: SurplusKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SurplusKind {
    /// A version beyond the first.
    Version,
    /// Somebody deleted the object; its versions are still there.
    DeleteMarker,
}

impl S3Store {
    /// Returns what there is below a prefix beyond one version of each object, each key and kind once.
    ///
    /// # Errors
    /// When the versions cannot be listed.
    pub fn surplus(&self, prefix: &str) -> Result<Vec<Surplus>, StoreError> {
        let below = self.below(prefix)?;
        let (_, _, edge) = self.reached();
        edge.wait(self.found(&below)).map_err(|call| failed("list the versions of", prefix, call))
    }

    async fn found(&self, below: &str) -> Result<Vec<Surplus>, CallError> {
        let (client, bucket, _) = self.reached();
        let mut seen = BTreeSet::new();
        let mut surplus = BTreeSet::new();
        let mut after: Option<(String, Option<String>)> = None;
        loop {
            let (key, version) = after.clone().unzip();
            let request = client.list_object_versions().bucket(bucket).prefix(below);
            let request = request.set_key_marker(key).set_version_id_marker(version.flatten());
            let page =
                request.send().await.map_err(|e| CallError::new("s3:ListBucketVersions", &e))?;
            for key in page.versions().iter().filter_map(|version| self.key(version.key())) {
                if !seen.insert(key.to_owned()) {
                    surplus.insert(Surplus { key: key.to_owned(), kind: SurplusKind::Version });
                }
            }
            for key in page.delete_markers().iter().filter_map(|marker| self.key(marker.key())) {
                surplus.insert(Surplus { key: key.to_owned(), kind: SurplusKind::DeleteMarker });
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
                _ => return Ok(surplus.into_iter().collect()),
            }
        }
    }
}
