//! What came of a request: each stored fact is checked before it counts.

use std::sync::Arc;

use bg_recorder::abreast::Abreast;
use bg_recorder::approval::SKEW_US;
use bg_recorder::approval::access::{APPROVALS_MAX, Signed};
use bg_recorder::approval::pattern::list_matches;
use bg_recorder::approval::quorum::Decided;
use bg_recorder::approval::signers::{AllowedSigners, Entry};
use bg_recorder::approval::statement::{Decision, Principal};
use bg_recorder::base64;
use bg_recorder::facts::case::Fact;
use bg_recorder::neutral::neutral;
use bg_recorder::note::{NOTE_MAX, Note, NoteKind};
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use serde::{Deserialize, Serialize};

use super::{Dossier, FACT_MAX, invalid, read};
use crate::failure::Failure;
use crate::request::lookup::REQUESTS;

impl Dossier {
    /// Reads what can count, by its name: whoever can write evidence can put anything beside it.
    pub(super) fn facts(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        people: &AllowedSigners,
        now: Stamp,
    ) -> Result<(), Failure> {
        let id = self.request().id;
        let prefix = format!("{REQUESTS}{id}/");
        let entries = store
            .list(&prefix)
            .map_err(|e| Failure::new("cannot list the request's facts").because(e))?;
        let names: Vec<&str> =
            entries.iter().filter_map(|entry| entry.key.strip_prefix(&prefix)).collect();
        let (known, strange): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| Name::of(name, people).is_some());
        if known.len() > FACTS_MAX {
            return Err(invalid(id, "more decisions on it are stored than anybody can read"));
        }
        let keys = known.iter().map(|name| format!("{prefix}{name}"));
        let abreast = Abreast::read(Arc::clone(store), keys, FACT_MAX);
        let mut approvals = Vec::new();
        let mut reasons = Vec::new();
        for name in known {
            let key = format!("{prefix}{name}");
            let fact = match Name::of(name, people) {
                None | Some(Name::Request) => continue,
                Some(Name::Claim) => self.claimed(&abreast, &key),
                Some(Name::Cancel) => {
                    self.decision(&abreast, &key, Decision::Cancel, None).map(drop)
                }
                Some(Name::Approval(who)) => self
                    .decision(&abreast, &key, Decision::Approve, Some(who))
                    .map(|approval| approvals.push(approval)),
                Some(Name::Reason(who)) => read::<Because>(&abreast, &key)
                    .map_err(|e| e.to_string())
                    .map(|said| reasons.push((who.to_owned(), neutral(&said.reason)))),
                Some(Name::Denial(who)) => self
                    .decision(&abreast, &key, Decision::Deny, Some(who))
                    .map(|(denial, _)| self.denials.push(denial)),
            };
            if let Err(why) = fact {
                self.ignored.push(format!("{name}: {why}"));
            }
        }
        let named = strange.iter().take(STRANGE_MAX);
        self.ignored.extend(named.map(|name| format!("{name}: {}", stranger(name))));
        if let Some(more @ 1..) = strange.len().checked_sub(STRANGE_MAX) {
            self.ignored.push(format!("{more} more objects that are no fact of a request"));
        }
        self.count(approvals, now);
        // Only of those whose denial counts.
        let denied =
            |who: &str| self.denials.iter().any(|denial| denial.statement.approver.as_str() == who);
        reasons.retain(|(who, _): &(String, String)| denied(who));
        self.reasons = reasons;
        Ok(())
    }

    /// Counts people, the earliest first.
    fn count(&mut self, mut approvals: Vec<(Decided, Signed)>, now: Stamp) {
        approvals.sort_by_key(|(decided, _)| decided.statement.made);
        for (decided, signed) in approvals {
            let who = &decided.statement.approver;
            let before =
                self.approvals.iter().find_map(|(one, _)| self.petition.same(Some(one), &decided));
            let refused = match () {
                () if decided.statement.expires <= now => Some("it has expired".to_owned()),
                () if decided.statement.made.0 > now.0.saturating_add(SKEW_US) => {
                    Some("it was made in the future".to_owned())
                }
                () if self.approvals.len() >= APPROVALS_MAX => Some("there are enough".to_owned()),
                () => before.map(|what| what.to_string()),
            };
            match refused {
                Some(why) => self.ignored.push(format!("approvals/{who}: {why}")),
                None => self.approvals.push((decided, signed)),
            }
        }
    }

    /// Reads one decision, which counts only under its author's name.
    fn decision(
        &mut self,
        store: &dyn ObjectStore,
        key: &str,
        expected: Decision,
        who: Option<&str>,
    ) -> Result<(Decided, Signed), String> {
        self.decided.extend(who.map(ToOwned::to_owned));
        let signed: Signed = read(store, key).map_err(|e| e.to_string())?;
        let bytes = base64::decode(&signed.statement).ok_or("the statement is not base64")?;
        let decided =
            self.petition.decided(&bytes, &signed.signature).map_err(|e| e.to_string())?;
        let author: &Principal = &decided.statement.approver;
        if decided.statement.decision != expected || who.is_some_and(|who| who != author.as_str()) {
            return Err("another decision, or another person's".into());
        }
        match expected {
            Decision::Cancel if *author == self.request().requester => self.cancelled = true,
            Decision::Cancel => return Err(format!("{author} did not ask, so cannot withdraw")),
            Decision::Approve | Decision::Deny => {
                if let Some(what) = self.petition.same(None, &decided) {
                    return Err(what.to_string());
                }
            }
        }
        Ok((decided, signed))
    }

    /// Takes note of a claim. Even one that cannot be read uses the request up: its name is taken.
    fn claimed(&mut self, store: &dyn ObjectStore, key: &str) -> Result<(), String> {
        let bytes = store.get(key, NOTE_MAX as u64).map_err(|e| e.to_string())?;
        let fact: Fact = Note::parse(NoteKind::Fact, &bytes)
            .and_then(|note| note.read())
            .map_err(|e| e.to_string())?;
        let says =
            |member: &str| fact.says.get(member).and_then(|text| text.as_str()).unwrap_or_default();
        let statement = base64::decode(says("statement")).unwrap_or_default();
        let taken = self.petition.taken(&statement, says("signature"), fact.session);
        self.claim = Some(fact);
        taken.map(drop).map_err(|e| e.to_string())
    }
}

/// Why somebody denied a request, as it is stored beside the denial.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// In their words.
    pub reason: String,
}

/// What the name of a stored object says that it is.
enum Name<'a> {
    Request,
    Claim,
    Cancel,
    Approval(&'a str),
    Denial(&'a str),
    Reason(&'a str),
}

impl<'a> Name<'a> {
    /// Reads a name. A decision can count only under the name of somebody who may sign.
    fn of(name: &'a str, people: &AllowedSigners) -> Option<Self> {
        let may = |who: &str| {
            let listed = |entry: &Entry| list_matches(&entry.principals, who);
            Principal::try_from(who.to_owned()).is_ok() && people.entries().iter().any(listed)
        };
        match name.split_once('/') {
            None if name == "request" => Some(Self::Request),
            None if name == "claim" => Some(Self::Claim),
            None if name == "cancel" => Some(Self::Cancel),
            Some(("approvals", who)) if may(who) => Some(Self::Approval(who)),
            Some(("denials", who)) if may(who) => Some(Self::Denial(who)),
            Some(("reasons", who)) if may(who) => Some(Self::Reason(who)),
            _ => None,
        }
    }
}

/// Why an object of this name is not even read.
fn stranger(name: &str) -> String {
    let decision = ["approvals/", "denials/"].iter().find_map(|place| name.strip_prefix(place));
    match decision.and_then(|who| Principal::try_from(who.to_owned()).ok()) {
        Some(who) => format!("its signer is not in allowed_signers for {who}"),
        None => "no fact of a request".to_owned(),
    }
}

/// How many decisions on one request are read, at most. More would be a denial that nobody sees among them.
const FACTS_MAX: usize = 256;
/// How many objects that are no facts are named.
const STRANGE_MAX: usize = 8;
/// The most bytes of a reason for a denial.
pub const REASON_MAX: usize = 1_024;
