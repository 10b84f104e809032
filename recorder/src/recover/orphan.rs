//! A tape without its recorder: what is whole of it is shipped, and followed from link to link.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::RecoverError;
use super::remains::whole_note;
use crate::clock::{Clock, boot_id};
use crate::format::chain::{Digest, Link};
use crate::format::checkpoint::Listed;
use crate::format::closing::Recovery;
use crate::format::genesis::Genesis;
use crate::format::note::{Note, NoteKind};
use crate::format::segment::{Header, Record, SEGMENT_MAX, Walk};
use crate::format::session::{ObjectName, SessionId};
use crate::format::stamp::Stamp;
use crate::keys::KeyService;
use crate::record::ship::{Carrier, ShipError};
use crate::store::StoreError;
use crate::store::dir::read_limited;

/// A segment, as far as it is whole.
struct Segment {
    bytes: Vec<u8>,
    end: End,
}

/// Whether a segment has its end marker.
#[derive(PartialEq, Eq)]
enum End {
    There,
    Cut,
}

/// The tape as its dead recorder left it, part in the store and part in the spool.
pub(super) struct Orphan<'a> {
    session: SessionId,
    carrier: &'a Carrier,
    /// What the store had: nobody else puts objects of a session whose recorder is dead and whose spool is locked.
    known: BTreeMap<ObjectName, u64>,
    pub(super) link: Link,
    frames: u64,
    segments: u64,
    stored_segments: u64,
    torn_bytes: u64,
    last_write_us: u64,
    /// The newest note, and every segment after it.
    listed: Vec<Listed>,
    /// The first name under which the store has somebody else's bytes.
    pub(super) fork: Option<ObjectName>,
}

impl<'a> Orphan<'a> {
    pub(super) fn new(
        genesis: &Genesis,
        bytes: &[u8],
        carrier: &'a Carrier,
        known: BTreeMap<ObjectName, u64>,
    ) -> Self {
        Self {
            session: genesis.session,
            carrier,
            known,
            link: Link::genesis(bytes),
            frames: 0,
            segments: 0,
            stored_segments: 0,
            torn_bytes: 0,
            last_write_us: genesis.created.0,
            listed: vec![(ObjectName::Genesis, Digest::of(bytes))],
            fork: None,
        }
    }

    /// Ships an object; returns whether it is in the store. Where somebody else's bytes are, ours cannot be.
    pub(super) fn put(&mut self, name: ObjectName, bytes: &[u8]) -> Result<bool, RecoverError> {
        match self.carrier.put(name, bytes) {
            Ok(()) => Ok(true),
            Err(ShipError::Fork(_)) => {
                self.fork.get_or_insert(name);
                Ok(false)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Returns whether the store has a seal of this session that a trusted key signed: another one ends nothing.
    pub(super) fn sealed(&mut self, keys: &dyn KeyService) -> Result<bool, RecoverError> {
        let Some(bytes) = self.stored(ObjectName::Seal)? else { return Ok(false) };
        let ours = Note::parse(NoteKind::Seal, &bytes).is_ok_and(|note| {
            note.signatures.last().is_some_and(|line| keys.ring().vouches(note.text, line))
        });
        if !ours {
            self.fork.get_or_insert(ObjectName::Seal);
        }
        Ok(ours)
    }

    /// Ships what is missing in the store, in order, and follows the chain over all of it.
    pub(super) fn ship(&mut self, genesis: &[u8]) -> Result<(), RecoverError> {
        self.carrier.put(ObjectName::Genesis, genesis)?;
        loop {
            let before = (self.link, self.frames);
            let Some(Segment { bytes, end }) = self.segment()? else { return Ok(()) };
            let name = ObjectName::Segment(self.segments);
            if !self.put(name, &bytes)? {
                (self.link, self.frames) = before;
                return Ok(());
            }
            self.listed.push((name, Digest::of(&bytes)));
            let number = self.segments;
            self.segments += 1;
            // A checkpoint that the disk kept, of a segment whose end it did not keep, is of another segment now.
            if end == End::Cut {
                return Ok(());
            }
            let Some(checkpoint) = self.checkpoint(number)? else { return Ok(()) };
            let name = ObjectName::Checkpoint(number);
            if !self.put(name, &checkpoint)? {
                return Ok(());
            }
            self.listed = vec![(name, Digest::of(&checkpoint))];
        }
    }

    /// A segment behind the last is somebody else's, too: it cannot be taken away, nor be shipped over.
    pub(super) fn look_behind(&mut self) {
        let behind =
            |name: &&ObjectName| matches!(name, ObjectName::Segment(n) if *n >= self.segments);
        if let Some(name) = self.known.keys().find(behind) {
            self.fork.get_or_insert(*name);
        }
    }

    /// Returns the next segment, without a torn tail.
    fn segment(&mut self) -> Result<Option<Segment>, RecoverError> {
        let name = ObjectName::Segment(self.segments);
        let spooled = self.spooled(name)?;
        let stored = self.stored(name)?;
        let foreign = spooled.is_none() && stored.is_some();
        let there = stored.is_some();
        let mut bytes = match (spooled, stored) {
            // It was shipped before the disk had all of it, and then the power went.
            (Some(spooled), Some(stored)) if self.continues(&stored, &spooled) => stored,
            (Some(bytes), _) | (None, Some(bytes)) => bytes,
            (None, None) => return Ok(None),
        };
        let Some((walk, end)) = self.walk(&bytes) else {
            if foreign {
                self.fork.get_or_insert(name);
            } else {
                self.torn_bytes += bytes.len() as u64;
            }
            return Ok(None);
        };
        if there {
            self.stored_segments = self.segments + 1;
        }
        (self.link, self.frames) = (walk.link(), walk.frames());
        if end == End::Cut {
            self.torn_bytes += (bytes.len() - walk.whole_len()) as u64;
            bytes.truncate(walk.whole_len());
        }
        Ok(Some(Segment { bytes, end }))
    }

    fn spooled(&mut self, name: ObjectName) -> Result<Option<Vec<u8>>, RecoverError> {
        let path = self.carrier.spool.join(name.to_string());
        match read_limited(&path, SEGMENT_MAX) {
            Ok(bytes) => self.written(&path).map(|()| Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(RecoverError::Spool(e)),
        }
    }

    /// Returns whether a stored segment begins with all that is whole of the spooled one.
    fn continues(&self, stored: &[u8], spooled: &[u8]) -> bool {
        let whole = self.walk(spooled).map_or(0, |(walk, _)| walk.whole_len());
        spooled.get(..whole).is_some_and(|whole| stored.starts_with(whole))
    }

    /// Follows the chain through the whole records of a segment that is the next.
    fn walk(&self, bytes: &[u8]) -> Option<(Walk, End)> {
        let (header, head) = Header::decode(bytes).ok()?;
        let ours = (header.session, header.segment, header.previous, header.first_frame);
        if ours != (self.session, self.segments, self.link, self.frames) {
            return None;
        }
        let mut walk = Walk::new(&header, head);
        loop {
            match walk.step(bytes) {
                Ok(Record::Frame { .. }) => {}
                Ok(Record::End) => return Some((walk, End::There)),
                // What follows the last whole record was never accepted: a torn write, or blocks that a power
                // cut left without content.
                Ok(Record::Cut { .. }) | Err(_) => return Some((walk, End::Cut)),
            }
        }
    }

    fn checkpoint(&self, number: u64) -> Result<Option<Vec<u8>>, RecoverError> {
        let name = ObjectName::Checkpoint(number);
        match whole_note(&self.carrier.spool, name, NoteKind::Checkpoint) {
            Some(bytes) => Ok(Some(bytes)),
            None => self.stored(name),
        }
    }

    fn stored(&self, name: ObjectName) -> Result<Option<Vec<u8>>, RecoverError> {
        if !self.known.contains_key(&name) {
            return Ok(None);
        }
        match self.carrier.store.get(&format!("{}{name}", self.carrier.prefix), SEGMENT_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(e) => Err(RecoverError::Store(e)),
        }
    }

    fn written(&mut self, path: &Path) -> Result<(), RecoverError> {
        let modified =
            fs::metadata(path).and_then(|meta| meta.modified()).map_err(RecoverError::Spool)?;
        let age = modified
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(0));
        self.last_write_us = self.last_write_us.max(age);
        Ok(())
    }

    pub(super) fn recovery(
        &self,
        genesis: &Genesis,
        clock: &dyn Clock,
    ) -> Result<Recovery, RecoverError> {
        let boot_id = boot_id().map_err(RecoverError::Spool)?;
        let reason = if boot_id == genesis.boot_id {
            "the recorder ended without sealing: killed, or crashed"
        } else {
            "the host restarted while the session ran"
        };
        Ok(Recovery {
            session: self.session,
            recovered: Stamp(clock.wall_us()),
            boot_id,
            reason: reason.into(),
            segments: self.segments,
            frames: self.frames,
            link: self.link,
            torn_bytes: self.torn_bytes,
            stored_segments: self.stored_segments,
            last_write: Stamp(self.last_write_us),
            objects: self.listed.clone(),
        })
    }
}
