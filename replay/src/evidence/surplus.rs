//! What a versioned bucket keeps besides a tape's objects, as findings (FORMAT.md 3).

use bg_aws::archive::Archive;
use bg_aws::fault::CallError;
use bg_aws::surplus::SurplusKind;
use bg_recorder::cause::chain;
use bg_recorder::store::StoreError;
use bg_recorder::verdict::{Finding, Report, Verdict, Weight};

/// Adds to a report what the versions say. A directory has none.
pub fn look(archive: &Archive, prefix: &str, report: &mut Report) {
    for found in findings(archive, prefix, |key| Some(key.strip_prefix(prefix).unwrap_or(key))) {
        report.verdict = match (found.weight, report.verdict) {
            (Weight::Broken | Weight::Fault, _) => Verdict::Broken,
            (Weight::Unread, verdict) if verdict != Verdict::Broken => Verdict::Unverifiable,
            (_, verdict) => verdict,
        };
        report.findings.push(found);
    }
}

/// Returns what the versions below a prefix say of the keys that `named` gives a name.
pub fn findings(
    archive: &Archive,
    prefix: &str,
    named: impl for<'k> Fn(&'k str) -> Option<&'k str>,
) -> Vec<Finding> {
    let Some(bucket) = &archive.bucket else { return Vec::new() };
    let found = match bucket.surplus(prefix) {
        Ok(found) => found,
        // A server without versions has no second one.
        Err(e) if lacks_versions(&e) => {
            return vec![finding(
                "versions",
                Weight::Note,
                format!("not looked at: {}", chain(&e)),
            )];
        }
        Err(e) => {
            return vec![finding(
                "versions",
                Weight::Unread,
                format!("not readable: {}", chain(&e)),
            )];
        }
    };
    let told = found.iter().filter_map(|surplus| {
        let what = match surplus.kind {
            SurplusKind::Version => "more than one version: it was written again",
            SurplusKind::DeleteMarker => "a delete marker: somebody deleted it",
        };
        Some(finding(named(&surplus.key)?, Weight::Fault, what.to_owned()))
    });
    told.collect()
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
