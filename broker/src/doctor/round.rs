//! Checks side by side: one that waits for its service keeps none of the others from being told.

use std::sync::mpsc::channel;
use std::thread;

use super::finding::Finding;

/// One check, with what it needs.
pub type Check<'c> = Box<dyn FnOnce(&mut Vec<Finding>) + Send + 'c>;

/// Runs checks, and hands out what each found as soon as it is done. Returns all of it in the order of the checks.
pub fn run(checks: Vec<Check<'_>>, mut tell: impl FnMut(&[Finding])) -> Vec<Finding> {
    let mut found: Vec<Vec<Finding>> = checks.iter().map(|_| Vec::new()).collect();
    thread::scope(|scope| {
        let (done, results) = channel();
        for (at, check) in checks.into_iter().enumerate() {
            let told = done.clone();
            let work = move || {
                let mut findings = Vec::new();
                check(&mut findings);
                // Whoever listens, listens until the last one is done.
                drop(told.send((at, findings)));
            };
            let started = thread::Builder::new().name("check".into()).spawn_scoped(scope, work);
            if let Err(e) = started {
                let fix = "see ulimit -u";
                let lost = Finding::warn("check", format!("not looked at: {e}"), "no thread", fix);
                drop(done.send((at, vec![lost])));
            }
        }
        drop(done);
        for (at, findings) in results {
            tell(&findings);
            if let Some(place) = found.get_mut(at) {
                *place = findings;
            }
        }
    });
    found.into_iter().flatten().collect()
}
