//! What a versioned bucket keeps besides a tape's objects, as findings (FORMAT.md 3).

use bg_aws::archive::Archive;
use bg_aws::fault::CallError;
use bg_aws::surplus::SurplusKind;
use bg_recorder::cause::chain;
use bg_recorder::store::StoreError;
use bg_recorder::verdict::{Finding, Report, Verdict, Weight};

/// Adds to a report what the versions say. A directory has none.
pub fn look(archive: &Archive, prefix: &str, report: &mut Report) {
    let Some(bucket) = &archive.bucket else { return };
    match bucket.surplus(prefix) {
        Ok(surplus) => {
            for found in surplus {
                let what = match found.kind {
                    SurplusKind::Version => "more than one version: it was written again",
                    SurplusKind::DeleteMarker => "a delete marker: somebody deleted it",
                };
                let object = found.key.strip_prefix(prefix).unwrap_or(&found.key);
                add(report, object, Weight::Broken, what.to_owned());
            }
        }
        // A server without versions has no second one.
        Err(e) if lacks_versions(&e) => {
            add(report, "versions", Weight::Note, format!("not looked at: {}", chain(&e)));
        }
        Err(e) => add(report, "versions", Weight::Unverifiable, format!("not readable: {}", chain(&e))),
    }
}

fn add(report: &mut Report, object: &str, weight: Weight, what: String) {
    report.findings.push(Finding { object: object.to_owned(), frame: None, what, weight });
    report.verdict = match (weight, report.verdict) {
        (Weight::Broken, _) => Verdict::Broken,
        (Weight::Unverifiable, verdict) if verdict != Verdict::Broken => Verdict::Unverifiable,
        (_, verdict) => verdict,
    };
}

fn lacks_versions(error: &StoreError) -> bool {
    let StoreError::Failed { source, .. } = error else { return false };
    let call = source.get_ref().and_then(|source| source.downcast_ref::<CallError>());
    matches!(call.and_then(|call| call.code.as_deref()), Some("NotImplemented" | "MethodNotAllowed"))
}
