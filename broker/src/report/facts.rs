//! What the store says of one session: its facts, each with a signature that holds, and its tape.

use std::collections::BTreeMap;
use std::sync::Arc;

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::closing::{Recovery, Seal};
use bg_recorder::facts::case::{CASES, Fact};
use bg_recorder::genesis::Genesis;
use bg_recorder::keys::KeyRing;
use bg_recorder::note::{NOTE_MAX, Note, NoteKind};
use bg_recorder::session::{ObjectName, SessionId};
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{ObjectStore, StoreError};
use bg_recorder::tape::Tape;
use bg_recorder::verdict;
use bg_recorder::verify::verify;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The facts around a session.
#[derive(Debug, Default)]
pub struct Facts {
    found: BTreeMap<String, Fact>,
    /// Names of objects there whose signature does not hold, or that are no facts: nothing of them is used.
    pub untrusted: Vec<String>,
    /// All names there.
    pub names: Vec<String>,
}

impl Facts {
    /// Reads all facts of a session.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(
        store: &dyn ObjectStore,
        session: SessionId,
        ring: &KeyRing,
    ) -> Result<Self, StoreError> {
        let prefix = format!("{CASES}{session}/");
        let mut facts = Self::default();
        for entry in store.list(&prefix)?.into_iter().take(FACTS_MAX) {
            let name = entry.key.strip_prefix(&prefix).unwrap_or(&entry.key).to_owned();
            if !name.ends_with(".json") && !name.ends_with(".md") {
                let bytes = store.get(&entry.key, NOTE_MAX as u64)?;
                match trusted(&bytes, session, &name, ring) {
                    Some(fact) => drop(facts.found.insert(name.clone(), fact)),
                    None => facts.untrusted.push(name.clone()),
                }
            }
            facts.names.push(name);
        }
        Ok(facts)
    }

    /// Returns a fact.
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.found.get(name)
    }

    /// Returns all facts, by name.
    pub fn all(&self) -> impl Iterator<Item = &Fact> {
        self.found.values()
    }

    /// Returns what a fact says of one thing.
    pub fn value(&self, name: &str, member: &str) -> Option<&Value> {
        self.get(name)?.says.get(member).filter(|value| !value.is_null())
    }

    /// Returns a text that a fact says.
    pub fn text(&self, name: &str, member: &str) -> Option<String> {
        text(self.value(name, member)?)
    }

    /// Returns all that a fact says, as what it is.
    pub fn says<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(Value::Object(self.get(name)?.says.clone())).ok()
    }
}

/// Returns a value as text: lists and members with commas between them.
pub fn text(value: &Value) -> Option<String> {
    let flat = |value: &Value| text(value).unwrap_or_else(|| "none".to_owned());
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => Some(list.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name} {}", flat(value)));
            Some(members.collect::<Vec<_>>().join(", "))
        }
        other => Some(other.to_string()),
    }
}

/// Returns a fact if its bytes are what the signing key signed, for this place.
fn trusted(bytes: &[u8], session: SessionId, name: &str, ring: &KeyRing) -> Option<Fact> {
    let note = Note::parse(NoteKind::Fact, bytes).ok()?;
    let mut signatures = note.signatures.iter();
    if !signatures.any(|signature| ring.vouches(note.text, signature)) {
        return None;
    }
    let fact: Fact = note.read().ok()?;
    (fact.session == session && fact.fact == name).then_some(fact)
}

/// The tape of a session, as far as it can be read without opening it.
#[derive(Debug)]
pub struct Recording {
    /// Where it is.
    pub prefix: String,
    /// Its beginning.
    pub genesis: Option<Genesis>,
    /// Its end.
    pub seal: Option<Seal>,
    /// Its end, where a later run wrote it.
    pub recovery: Option<Recovery>,
    /// What verification found.
    pub verdict: verdict::Report,
}

impl Recording {
    /// Finds and verifies a tape.
    ///
    /// # Errors
    /// When the store cannot be read. A tape that is not there is unverifiable, not an error.
    pub fn read(
        store: &Arc<dyn ObjectStore>,
        session: SessionId,
        ring: &KeyRing,
    ) -> Result<Self, StoreError> {
        let tape = find(&**store, session)?;
        let prefix = tape.1;
        let verdict = verify(&tape.0, &ring.trusted(), SystemClock.wall_us());
        Ok(Self {
            genesis: note(&tape.0, ObjectName::Genesis, NoteKind::Genesis),
            seal: note(&tape.0, ObjectName::Seal, NoteKind::Seal),
            recovery: note(&tape.0, ObjectName::Recovery, NoteKind::Recovery),
            prefix,
            verdict,
        })
    }

    /// Returns what the genesis declares of one thing.
    pub fn about(&self, member: &str) -> Option<&Value> {
        self.genesis.as_ref()?.about.get(member).filter(|value| !value.is_null())
    }
}

/// Lists a tape below the day of its id, or the next: the genesis is made a moment after the id.
fn find(store: &dyn ObjectStore, session: SessionId) -> Result<(Tape<'_>, String), StoreError> {
    let minted = session.minted();
    let days = [minted, Stamp(minted.0.saturating_add(DAY_US))];
    let mut prefixes = days.map(|day| session.prefix(day)).into_iter();
    let first = prefixes.next().unwrap_or_default();
    let tape = Tape::list(store, &first, Some(session))?;
    if tape.objects.is_empty()
        && let Some(next) = prefixes.next()
    {
        let later = Tape::list(store, &next, Some(session))?;
        if !later.objects.is_empty() {
            return Ok((later, next));
        }
    }
    Ok((tape, first))
}

fn note<T: DeserializeOwned>(tape: &Tape<'_>, name: ObjectName, kind: NoteKind) -> Option<T> {
    if !tape.objects.contains_key(&name) {
        return None;
    }
    Note::parse(kind, &tape.get(name).ok()?).ok()?.read().ok()
}

/// A session has a dozen facts; reviews and rotations come on top.
const FACTS_MAX: usize = 1_000;
/// Microseconds of a day.
pub const DAY_US: u64 = 86_400 * 1_000_000;
