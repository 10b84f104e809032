//! All cases: which sessions have facts, and which facts those are.

use std::collections::{BTreeMap, BTreeSet};

use bg_cli::named::{Named, beginning};
use bg_recorder::facts::case::CASES;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{ObjectStore, StoreError};

use crate::failure::Failure;

/// The names of the facts around each session, oldest session first.
#[derive(Debug, Default)]
pub struct Docket(pub BTreeMap<SessionId, BTreeSet<String>>);

impl Docket {
    /// Lists the cases in a store. In the practice world sessions have no access and no case: there it lists those
    /// that have a tape of today or yesterday.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn of(store: &dyn ObjectStore, practice: bool, now: Stamp) -> Result<Self, Failure> {
        let docket = Self::read(store)?;
        if practice { docket.with_recent_tapes(store, now) } else { Ok(docket) }
    }

    fn read(store: &dyn ObjectStore) -> Result<Self, Failure> {
        let mut docket = Self::default();
        for entry in store.list(CASES).map_err(unlisted)? {
            let name = entry.key.strip_prefix(CASES).and_then(|key| key.split_once('/'));
            if let Some((Ok(session), fact)) = name.map(|(id, fact)| (id.parse(), fact.to_owned()))
            {
                docket.0.entry(session).or_default().insert(fact);
            }
        }
        Ok(docket)
    }

    fn with_recent_tapes(mut self, store: &dyn ObjectStore, now: Stamp) -> Result<Self, Failure> {
        for prefix in recent_days(now) {
            for entry in store.list(&prefix).map_err(unlisted)? {
                let name = entry.key.strip_prefix(&prefix).and_then(|key| key.split_once('/'));
                if let Some((Ok(session), "genesis")) =
                    name.map(|(id, object)| (id.parse(), object))
                {
                    self.0.entry(session).or_default();
                }
            }
        }
        Ok(self)
    }

    /// Finds the one session whose id begins so.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, text: &str) -> Result<SessionId, Failure> {
        match beginning(text, self.0.keys().copied(), SessionId::to_string) {
            Named::One(one) => Ok(one),
            Named::None => Err(Failure::new(format!("there is no session {text:?}"))
                .hint("bg-shell sessions lists them; older ones: bg-replay ls")),
            Named::Several(_) => {
                Err(Failure::new(format!("more than one session begins with {text:?}"))
                    .hint("bg-shell sessions lists them; give more of its id"))
            }
        }
    }
}

fn recent_days(now: Stamp) -> [String; 2] {
    let yesterday = Stamp(now.0.saturating_sub(86_400_000_000));
    [yesterday, now].map(|at| format!("sessions/{}/", at.day()))
}

fn unlisted(e: StoreError) -> Failure {
    Failure::new("cannot list the evidence").because(e).hint("see [evidence] store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_by_the_beginning_of_its_id_if_it_is_the_only_one() {
        let one = SessionId::mint();
        let two = SessionId::mint();
        let docket = Docket([one, two].map(|id| (id, BTreeSet::new())).into());
        assert_eq!(docket.find(&one.to_string()).unwrap(), one);
        let short: String = one.to_string().chars().take(4).collect();
        assert!(docket.find(&short).unwrap_err().to_string().contains("more than one"));
        assert!(docket.find("").is_err() && docket.find("zz").is_err());
    }
}
