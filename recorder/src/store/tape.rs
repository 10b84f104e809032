//! A tape in a store: which objects it has.

use std::collections::BTreeMap;

use crate::format::note::NOTE_MAX;
use crate::format::segment::SEGMENT_MAX;
use crate::format::session::{ObjectName, SessionId};
use crate::store::{ObjectStore, StoreError};

/// The objects of one session, listed but not read.
pub struct Tape<'s> {
    store: &'s dyn ObjectStore,
    prefix: String,
    /// The session id that the tape's place names, where it names one.
    pub placed: Option<SessionId>,
    /// Its objects and their sizes.
    pub objects: BTreeMap<ObjectName, u64>,
    /// What is there besides: names as they were listed.
    pub strangers: Vec<String>,
    /// Directories of it that could not be listed, with a slash at their end.
    pub dark: Vec<String>,
}

impl<'s> Tape<'s> {
    /// Lists the tape below a prefix, which is empty or ends with a slash. `placed` is the session that the
    /// place is for, where it is for one.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn list(
        store: &'s dyn ObjectStore,
        prefix: &str,
        placed: Option<SessionId>,
    ) -> Result<Self, StoreError> {
        let mut tape = Self {
            store,
            prefix: prefix.to_owned(),
            placed,
            objects: BTreeMap::new(),
            strangers: Vec::new(),
            dark: Vec::new(),
        };
        for entry in store.list(prefix)? {
            let name = entry.key.strip_prefix(prefix).unwrap_or(&entry.key);
            match name.parse() {
                Ok(name) if entry.object => {
                    tape.objects.insert(name, entry.len);
                }
                _ if entry.dark() => tape.dark.push(name.to_owned()),
                _ => tape.strangers.push(name.to_owned()),
            }
        }
        Ok(tape)
    }

    /// Reads one object, within the limit of its kind.
    ///
    /// # Errors
    /// As the store says.
    pub fn get(&self, name: ObjectName) -> Result<Vec<u8>, StoreError> {
        let max = match name {
            ObjectName::Segment(_) => SEGMENT_MAX,
            _ => NOTE_MAX as u64,
        };
        self.store.get(&format!("{}{name}", self.prefix), max)
    }

    /// Returns one more than the highest segment number.
    pub fn segments(&self) -> u64 {
        self.numbers(|name| if let ObjectName::Segment(n) = name { Some(n) } else { None })
    }

    /// Returns one more than the highest checkpoint number.
    pub fn checkpoints(&self) -> u64 {
        self.numbers(|name| if let ObjectName::Checkpoint(n) = name { Some(n) } else { None })
    }

    /// Returns the bytes of all objects.
    pub fn bytes(&self) -> u64 {
        self.objects.values().sum()
    }

    fn numbers(&self, number: impl Fn(ObjectName) -> Option<u64>) -> u64 {
        self.objects.keys().filter_map(|name| number(*name)).max().map_or(0, |n| n + 1)
    }
}

impl std::fmt::Debug for Tape<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tape({})", self.prefix)
    }
}
