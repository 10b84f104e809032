//! What the store has of a dead session's tape. Whoever can write to it may have put something there, so of that only
//! what a key of the session or a trusted key signed counts.

use std::collections::BTreeMap;

use super::RecoverError;
use super::owner::{signed, vouched};
use crate::format::chain::Digest;
use crate::format::checkpoint::Checkpoint;
use crate::format::closing::{Recovery, Seal};
use crate::format::genesis::Genesis;
use crate::format::note::{Note, NoteKind};
use crate::format::segment::SEGMENT_MAX;
use crate::format::session::ObjectName;
use crate::format::sign::SessionPublic;
use crate::format::stamp::Stamp;
use crate::keys::KeyRing;
use crate::record::ship::Carrier;
use crate::store::StoreError;
use crate::store::tape::Tape;

/// The stored part of a tape.
pub(super) struct Stored<'a> {
    carrier: &'a Carrier,
    genesis: &'a Genesis,
    ring: &'a KeyRing,
    /// Its objects: nobody else puts some of a session whose recorder is dead and whose spool is locked.
    known: BTreeMap<ObjectName, u64>,
    strangers: Vec<String>,
    /// The key of the next checkpoint, while known.
    next: Option<SessionPublic>,
    /// How many segments there are by the word of a signed end.
    ended: u64,
}

impl<'a> Stored<'a> {
    /// Looks at what is there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn of(
        carrier: &'a Carrier,
        genesis: &'a Genesis,
        ring: &'a KeyRing,
    ) -> Result<Self, RecoverError> {
        let tape = Tape::list(&*carrier.store, &carrier.prefix, Some(genesis.session))?;
        let known = tape.objects;
        let next = Some(genesis.keys.session);
        let strangers = tape.strangers;
        let mut stored = Self { carrier, genesis, ring, known, strangers, next, ended: 0 };
        let seal = stored
            .vouched(ObjectName::Seal, |note| note.read::<Seal>().ok().map(|seal| seal.segments))?;
        let recovery = stored.vouched(ObjectName::Recovery, |note| {
            note.read::<Recovery>().ok().map(|recovery| recovery.segments)
        })?;
        stored.ended = seal.or(recovery).unwrap_or(0);
        Ok(stored)
    }

    /// Returns an object. One that is larger than any is nobody's: it has no bytes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn get(&self, name: ObjectName) -> Result<Option<Vec<u8>>, RecoverError> {
        if !self.known.contains_key(&name) {
            return Ok(None);
        }
        match self.carrier.store.get(&format!("{}{name}", self.carrier.prefix), SEGMENT_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(StoreError::TooLarge(_)) => Ok(Some(Vec::new())),
            Err(e) => Err(RecoverError::Store(e)),
        }
    }

    /// Returns whether an end of this name is there, and whether a trusted key signed it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn end(&self, name: ObjectName) -> Result<Option<bool>, RecoverError> {
        let signed = self.vouched(name, |_| Some(()))?.is_some();
        Ok(self.known.contains_key(&name).then_some(signed))
    }

    fn vouched<T>(
        &self,
        name: ObjectName,
        says: impl Fn(&Note<'_>) -> Option<T>,
    ) -> Result<Option<T>, RecoverError> {
        let Some(kind) = NoteKind::of(name) else { return Ok(None) };
        let Some(bytes) = self.get(name)? else { return Ok(None) };
        if !vouched(kind, &bytes, self.ring) {
            return Ok(None);
        }
        Ok(Note::parse(kind, &bytes).ok().and_then(|note| says(&note)))
    }

    /// Returns whether something that is no object has the name of one.
    pub(super) fn is_squatted(&self, name: ObjectName) -> bool {
        self.strangers.contains(&name.to_string())
    }

    /// Returns whether a signed end says that the tape has this segment.
    pub(super) fn is_ended_behind(&self, segment: u64) -> bool {
        segment < self.ended
    }

    /// Returns whether this checkpoint is the session's, and says so of these bytes of its segment.
    pub(super) fn proves(&self, checkpoint: &[u8], segment: &[u8]) -> bool {
        let listed = Digest::of(segment);
        self.signed(checkpoint).is_some_and(|says| says.objects.iter().any(|(_, d)| *d == listed))
    }

    /// Goes on to the next checkpoint's key; returns when this one was made, if it is the session's.
    pub(super) fn follow(&mut self, checkpoint: &[u8]) -> Option<Stamp> {
        let signed = self.signed(checkpoint);
        self.next = signed.as_ref().map(|says| says.next);
        signed.map(|says| says.wall)
    }

    fn signed(&self, checkpoint: &[u8]) -> Option<Checkpoint> {
        signed(self.genesis, self.next?, checkpoint)
    }

    /// Returns the first name of a segment that is behind the last of so many, or of a checkpoint that is, or that the
    /// last has although it should have none.
    pub(super) fn behind(&self, segments: u64, checkpoints: u64) -> Option<ObjectName> {
        let behind = |name: &&ObjectName| match name {
            ObjectName::Segment(n) => *n >= segments,
            ObjectName::Checkpoint(n) => *n >= checkpoints,
            _ => false,
        };
        self.known.keys().find(behind).copied()
    }
}
