//! What the fact says that is written before credentials are asked for: all that is needed to end the access.

use std::time::Duration;

use bg_recorder::facts::case::{Case, CaseError, Fact, OPEN, PROVED, RENEWED};
use bg_recorder::keys::KeyService;
use bg_recorder::stamp::Stamp;
use serde::Deserialize;
use serde_json::Value;

use crate::config::Gate;
use crate::facts::claim::Claim;

/// An access that was about to be opened. It counts as opened: a request that was sent may have been answered.
#[derive(Debug, Clone, Deserialize)]
pub struct Intent {
    /// The role's name in the configuration.
    pub role: String,
    /// The IAM role.
    pub role_arn: String,
    /// Who opened it.
    pub person: String,
    /// How long each of its credentials live, in seconds.
    pub duration_s: u64,
    /// When none are asked for any more.
    pub deadline: Stamp,
    /// The gate that it opened: by now the configuration may have another one.
    pub gate: Option<Gate>,
}

impl Intent {
    /// Reads the fact; none where it says something else.
    pub fn read(fact: &Fact) -> Option<Self> {
        serde_json::from_value(serde_json::Value::Object(fact.says.clone())).ok()
    }

    /// Says what a claim's fact says, where that cannot be read.
    pub fn of(claim: &Claim) -> Self {
        Self {
            role: claim.name.clone(),
            role_arn: claim.role.arn.clone(),
            person: claim.person.clone(),
            duration_s: DURATION_MAX_S,
            deadline: claim.deadline,
            gate: Some(claim.role.gate.clone()),
        }
    }

    /// Returns it as it is now: with the newest end that the evidence world's key has signed.
    ///
    /// # Errors
    /// When the store cannot be read: the end may have moved.
    pub fn renewed(mut self, case: &Case, keys: &dyn KeyService) -> Result<Self, CaseError> {
        let facts = renewals(case, keys)?;
        if let Some((_, end)) = newest(facts.iter()) {
            self.deadline = self.deadline.max(end);
        }
        Ok(self)
    }

    /// Returns when the last credentials are dead that were asked for by then, or by the deadline.
    pub fn dead_by(&self, last_asked: Stamp) -> Stamp {
        last_asked.min(self.deadline).after(Duration::from_secs(self.duration_s))
    }
}

/// Returns whether no credentials of a session can be alive by now. Who is not known may be.
pub fn is_dead(case: &Case, keys: &dyn KeyService, now: Stamp) -> bool {
    let Ok(Some(fact)) = case.trusted(keys, OPEN) else { return false };
    let Some(opened) = Intent::read(&fact) else { return false };
    let Ok(opened) = opened.renewed(case, keys) else { return false };
    let last_asked = match case.trusted(keys, PROVED) {
        Ok(Some(proved)) => proved.at,
        _ => opened.deadline,
    };
    // What was derived from the credentials, such as a console's session, may outlive them: to the deadline, where
    // the session policy ends it.
    now > opened.dead_by(last_asked).max(opened.deadline).after(MARGIN)
}

/// Writes down that a session's end is moved. Nothing may move before this returns.
///
/// # Errors
/// When it cannot be signed or stored, or all its places are taken.
pub fn renew(case: &Case, keys: &dyn KeyService, by: &str, says: &Value) -> Result<(), CaseError> {
    let mut put = Err(CaseError::Taken(RENEWED.into()));
    for n in 1..=RENEWALS_MAX {
        put = case.put(keys, by, &format!("{RENEWED}{n}"), says.clone()).map(drop);
        if !matches!(put, Err(CaseError::Taken(_))) {
            return put;
        }
    }
    put
}

/// Returns which of a session's facts has its newest end, and that.
pub fn newest<'a>(facts: impl Iterator<Item = &'a Fact>) -> Option<(&'a Fact, Stamp)> {
    let renewals = facts.filter(|fact| fact.fact.starts_with(RENEWED));
    let ends = renewals.filter_map(|fact| {
        let end = fact.says.get("deadline")?.clone();
        Some((fact, serde_json::from_value(end).ok()?))
    });
    ends.max_by_key(|(_, end)| *end)
}

/// Each takes the lowest free place, so the first free one is behind the last. What others have put there counts as a
/// place, and says nothing.
fn renewals(case: &Case, keys: &dyn KeyService) -> Result<Vec<Fact>, CaseError> {
    let mut found = Vec::new();
    for n in 1..=RENEWALS_MAX {
        match case.trusted(keys, &format!("{RENEWED}{n}")) {
            Ok(Some(fact)) => found.push(fact),
            Ok(None) => break,
            Err(CaseError::NotAFact(..) | CaseError::Untrusted(_)) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// As many as a session reads letters.
const RENEWALS_MAX: u32 = 64;
/// Clocks differ.
pub const MARGIN: Duration = Duration::from_secs(300);
/// The longest that credentials of a chained role live (IAM user guide).
const DURATION_MAX_S: u64 = 3_600;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bg_recorder::dir::DirStore;
    use bg_recorder::keys::local::LocalKeys;
    use bg_recorder::session::SessionId;
    use serde_json::json;

    use super::*;

    struct Scene(tempfile::TempDir, LocalKeys, Case);

    impl Scene {
        /// An access of an hour, from noon.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let keys = LocalKeys::open_or_create(&dir.path().join("keys")).unwrap();
            let store = Arc::new(DirStore::new(dir.path().join("evidence")));
            let case = Case::new(SessionId::mint(), store);
            let says = json!({"role": "r", "role_arn": "a", "person": "alice", "duration_s": 900,
                "deadline": NOON.after(HOUR), "gate": null});
            case.put(&keys, "alice@ops", OPEN, says).unwrap();
            Self(dir, keys, case)
        }

        fn deadline(&self) -> Stamp {
            let opened = self.2.trusted(&self.1, OPEN).unwrap().unwrap();
            Intent::read(&opened).unwrap().renewed(&self.2, &self.1).unwrap().deadline
        }

        fn renew(&self, keys: &dyn KeyService, end: Stamp) -> Result<(), CaseError> {
            renew(&self.2, keys, "alice@ops", &json!({ "deadline": end }))
        }
    }

    const NOON: Stamp = Stamp(1_795_435_200_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);
    const LIFE: Duration = Duration::from_secs(900);

    #[test]
    fn the_newest_end_counts_and_an_earlier_one_shortens_nothing() {
        let scene = Scene::new();
        assert_eq!(scene.deadline(), NOON.after(HOUR));
        scene.renew(&scene.1, NOON.after(HOUR * 2)).unwrap();
        scene.renew(&scene.1, NOON).unwrap();
        assert_eq!(scene.deadline(), NOON.after(HOUR * 2));
        scene.renew(&scene.1, NOON.after(HOUR * 3)).unwrap();
        assert_eq!(scene.deadline(), NOON.after(HOUR * 3));
    }

    #[test]
    fn an_access_whose_end_was_moved_is_dead_only_after_that() {
        let scene = Scene::new();
        let after = |end: Stamp| Stamp(end.after(LIFE + MARGIN).0 + 1);
        let first = after(NOON.after(HOUR));
        assert!(is_dead(&scene.2, &scene.1, first));
        scene.renew(&scene.1, NOON.after(HOUR * 2)).unwrap();
        assert!(!is_dead(&scene.2, &scene.1, first));
        assert!(is_dead(&scene.2, &scene.1, after(NOON.after(HOUR * 2))));
    }

    #[test]
    fn who_has_no_key_moves_nothing_and_is_passed_over() {
        let scene = Scene::new();
        let other = LocalKeys::open_or_create(&scene.0.path().join("other")).unwrap();
        scene.renew(&other, NOON.after(HOUR * 9)).unwrap();
        assert_eq!(scene.deadline(), NOON.after(HOUR));
        scene.renew(&scene.1, NOON.after(HOUR * 2)).unwrap();
        assert_eq!(scene.deadline(), NOON.after(HOUR * 2));
        for _ in 0..62 {
            scene.renew(&other, NOON.after(HOUR * 9)).unwrap();
        }
        let full = scene.renew(&scene.1, NOON.after(HOUR * 3));
        assert!(matches!(full, Err(CaseError::Taken(_))), "{full:?}");
        assert_eq!(scene.deadline(), NOON.after(HOUR * 2));
    }
}
