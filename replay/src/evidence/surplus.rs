//! What a versioned bucket keeps besides a tape's objects, as findings (FORMAT.md 3).

use bg_aws::archive::Archive;
use bg_aws::fault::CallError;
use bg_aws::surplus::History;
use bg_recorder::cause::chain;
use bg_recorder::store::StoreError;
use bg_recorder::verdict::{Finding, Report, Verdict, Weight};

/// What the versions below a prefix say.
#[derive(Debug, Default)]
pub struct Surplus {
    /// Of which objects there is more than there should be.
    pub histories: Vec<History>,
    /// Why that could not be looked at, where it could not.
    unseen: Option<Finding>,
}

impl Surplus {
    /// Looks at the versions of what is below a prefix. A directory has none.
    pub fn below(archive: &Archive, prefix: &str) -> Self {
        let Some(bucket) = &archive.bucket else { return Self::default() };
        match bucket.surplus(prefix) {
            Ok(histories) => Self { histories, unseen: None },
            Err(e) => {
                // A server without versions has no second one.
                let (weight, what) = if lacks_versions(&e) {
                    (Weight::Note, "not looked at")
                } else {
                    (Weight::Unread, "not readable")
                };
                let unseen = finding("versions", weight, format!("{what}: {}", chain(&e)));
                Self { histories: Vec::new(), unseen: Some(unseen) }
            }
        }
    }

    /// Returns what is found in the keys that `named` gives a name.
    pub fn findings(self, named: impl for<'k> Fn(&'k str) -> Option<&'k str>) -> Vec<Finding> {
        let told = self.histories.iter().filter_map(|history| {
            let name = named(&history.key)?;
            let fault = |what: &str| finding(name, Weight::Fault, what.to_owned());
            let again = history.versions.len() > 1;
            let again = again.then(|| fault("more than one version: it was written again"));
            let deleted = history.deleted.then(|| fault("a delete marker: somebody deleted it"));
            Some([again, deleted].into_iter().flatten())
        });
        let told: Vec<Finding> = told.flatten().collect();
        self.unseen.into_iter().chain(told).collect()
    }

    /// Adds to a report what the versions of its tape say.
    pub fn tell(self, prefix: &str, report: &mut Report) {
        for found in self.findings(|key| Some(key.strip_prefix(prefix).unwrap_or(key))) {
            report.verdict = match (found.weight, report.verdict) {
                (Weight::Broken | Weight::Fault, _) => Verdict::Broken,
                (Weight::Unread, verdict) if verdict != Verdict::Broken => Verdict::Unverifiable,
                (_, verdict) => verdict,
            };
            report.findings.push(found);
        }
    }
}

fn finding(object: &str, weight: Weight, what: String) -> Finding {
    Finding { object: object.to_owned(), frame: None, what, weight }
}

fn lacks_versions(error: &StoreError) -> bool {
    let StoreError::Failed { source, .. } = error else { return false };
    let call = source.get_ref().and_then(|source| source.downcast_ref::<CallError>());
    matches!(
        call.and_then(|call| call.code.as_deref()),
        Some("NotImplemented" | "MethodNotAllowed")
    )
}
