//! The facts around one session: what is about to be done, then what came of it. Create-only, signed, below
//! `cases/<session>/`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::{Clock as _, SystemClock};
use crate::format::cause::chain;
use crate::format::note::{self, Note, NoteError, NoteKind};
use crate::format::session::SessionId;
use crate::format::stamp::Stamp;
use crate::keys::{KeyError, KeyService};
use crate::store::{ObjectStore, StoreError};

/// One fact.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fact {
    /// The session it is about.
    pub session: SessionId,
    /// Which fact: the name of its object below `cases/<session>/`.
    pub fact: String,
    /// When it was written.
    pub at: Stamp,
    /// Who wrote it: `user@host`.
    pub by: String,
    /// What else it says.
    #[serde(flatten)]
    pub says: Map<String, Value>,
}

impl Fact {
    /// Makes a fact of now, by its author: `user@host`.
    pub fn now(session: SessionId, by: &str, fact: &str, says: Value) -> Self {
        let at = SystemClock.now();
        Self { session, fact: fact.to_owned(), at, by: by.to_owned(), says: members(says) }
    }

    /// Returns it as a note with our signature: the standby key's, where the signing key cannot be reached.
    ///
    /// # Errors
    /// When it is too large, or cannot be signed.
    pub fn signed(&self, keys: &dyn KeyService) -> Result<Vec<u8>, Unsigned> {
        let text = note::text(NoteKind::Fact, self)?;
        let ring = keys.ring();
        let line = match (keys.sign(&text), &ring.standby) {
            (Ok(der), _) => ring.sign.line(&ring.sign_name, der),
            (Err(_), Some(standby)) => standby.line(&text).map_err(KeyError::from)?,
            (Err(e), None) => return Err(e.into()),
        };
        Ok(note::assemble(&text, &[line]))
    }
}

/// The facts around one session.
pub struct Case {
    /// The session.
    pub session: SessionId,
    place: String,
    store: Arc<dyn ObjectStore>,
}

impl Case {
    /// Takes a session's facts in a store.
    pub fn new(session: SessionId, store: Arc<dyn ObjectStore>) -> Self {
        Self::below(CASES, session, store)
    }

    /// Takes a session's facts below another prefix, which ends with a slash.
    pub fn below(prefix: &str, session: SessionId, store: Arc<dyn ObjectStore>) -> Self {
        Self { session, place: format!("{prefix}{session}/"), store }
    }

    /// Takes a session's facts that stand side by side with others': the prefix ends with a slash.
    pub fn flat(prefix: &str, session: SessionId, store: Arc<dyn ObjectStore>) -> Self {
        Self { session, place: prefix.to_owned(), store }
    }

    /// Writes a fact down, signed. Nothing that it announces may happen before this returns.
    ///
    /// # Errors
    /// [`CaseError::Taken`] when there is such a fact already; what it says counts.
    pub fn put(
        &self,
        keys: &dyn KeyService,
        by: &str,
        fact: &str,
        says: Value,
    ) -> Result<Fact, CaseError> {
        let fact = Fact::now(self.session, by, fact, says);
        let bytes = fact.signed(keys).map_err(CaseError::Unsigned)?;
        match self.store.put_new(&self.key(&fact.fact), &bytes) {
            Ok(()) => Ok(fact),
            Err(StoreError::Exists(key)) => Err(CaseError::Taken(key)),
            Err(e) => Err(CaseError::Store(e)),
        }
    }

    /// Writes a fact down that may be there already: what it says then counts.
    ///
    /// # Errors
    /// When it cannot be signed or stored.
    pub fn note(
        &self,
        keys: &dyn KeyService,
        by: &str,
        fact: &str,
        says: Value,
    ) -> Result<(), CaseError> {
        match self.put(keys, by, fact, says) {
            Ok(_) | Err(CaseError::Taken(_)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Reads a fact, if there is one.
    ///
    /// # Errors
    /// When the store cannot be read, or what is there is no fact.
    pub fn get(&self, fact: &str) -> Result<Option<Fact>, CaseError> {
        let key = self.key(fact);
        match self.store.get(&key, note::NOTE_MAX as u64) {
            Ok(bytes) => {
                let note = Note::parse(NoteKind::Fact, &bytes).and_then(|note| note.read());
                note.map(Some).map_err(|e| CaseError::NotAFact(key, chain(&e)))
            }
            Err(StoreError::Missing(_)) => Ok(None),
            Err(e) => Err(CaseError::Store(e)),
        }
    }

    /// Reads a fact that our own signing key has signed, if there is one: what others can write ends nothing.
    ///
    /// # Errors
    /// When the store cannot be read, or what is there is no fact, or somebody else's.
    pub fn trusted(&self, keys: &dyn KeyService, fact: &str) -> Result<Option<Fact>, CaseError> {
        let key = self.key(fact);
        let bytes = match self.store.get(&key, note::NOTE_MAX as u64) {
            Err(StoreError::Missing(_)) => return Ok(None),
            bytes => bytes.map_err(CaseError::Store)?,
        };
        let not_a_fact = |e: &dyn std::error::Error| CaseError::NotAFact(key.clone(), chain(e));
        let note = Note::parse(NoteKind::Fact, &bytes).map_err(|e| not_a_fact(&e))?;
        let ring = keys.ring();
        if !note.signatures.iter().any(|line| ring.vouches(note.text, line)) {
            return Err(CaseError::Untrusted(key));
        }
        let read: Fact = note.read().map_err(|e| not_a_fact(&e))?;
        if (read.session, read.fact.as_str()) != (self.session, fact) {
            return Err(CaseError::Untrusted(key));
        }
        Ok(Some(read))
    }

    /// Lists the names of the facts there are.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub fn facts(&self) -> Result<Vec<String>, CaseError> {
        let listed = self.store.list(&self.place).map_err(CaseError::Store)?;
        let names = listed.iter().filter_map(|entry| entry.key.strip_prefix(&self.place));
        Ok(names.map(ToOwned::to_owned).collect())
    }

    fn key(&self, fact: &str) -> String {
        format!("{}{fact}", self.place)
    }
}

/// Returns the members of a JSON object; anything else has none.
pub fn members(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}

/// Why a fact is not signed.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// It is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key service did not do it.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why a fact could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// There is one already.
    #[error("{0} exists already")]
    Taken(String),
    /// It could not be signed.
    #[error("cannot sign a fact")]
    Unsigned(#[source] Unsigned),
    /// What is there is no fact.
    #[error("{0} is not a fact: {1}")]
    NotAFact(String, String),
    /// It is not signed by the evidence world's signing key, or stands in another fact's place.
    #[error("{0} is not signed by the signing key of this evidence")]
    Untrusted(String),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

/// Where facts around sessions are.
pub const CASES: &str = "cases/";
/// Intent: credentials are about to be asked for. From here on the access counts as issued.
pub const OPEN: &str = "open";
/// Credentials were issued, and the positive control worked with them.
pub const ACTIVE: &str = "active";
/// Somebody wants the session ended.
pub const REVOKE: &str = "revoke";
/// Somebody gave a session more time while its store was away; then when, in microseconds.
pub const EXTENSION: &str = "extension/";
/// Somebody moved a session's end, and this is the new one; then which of them, from 1.
pub const RENEWED: &str = "renewed/";
/// The Deny is in place.
pub const DENIED: &str = "close/denied";
/// The positive control was explicitly denied three times in a row.
pub const PROVED: &str = "close/proved";
/// The gate is closed, or somebody else still needs it.
pub const GATE: &str = "close/gate";
/// It could not be finished; `dead_by` says when the credentials are dead anyway.
pub const PENDING: &str = "close/pending";
