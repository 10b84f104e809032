//! A tape without its recorder: what is whole of it is shipped, and followed from link to link.

use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::RecoverError;
use super::remains::whole_note;
use super::stored::Stored;
use crate::clock::{Clock, boot_id};
use crate::format::chain::{Digest, Link};
use crate::format::checkpoint::Listed;
use crate::format::closing::Recovery;
use crate::format::genesis::Genesis;
use crate::format::note::NoteKind;
use crate::format::segment::{Header, Record, SEGMENT_MAX, Walk};
use crate::format::session::{ObjectName, SessionId};
use crate::format::stamp::Stamp;
use crate::record::ship::{Carrier, ShipError};
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
    pub(super) stored: Stored<'a>,
    /// The boot of this run, and whether it is not that of the recorder: then the disk may have lost something.
    boot_id: String,
    rebooted: bool,
    pub(super) link: Link,
    frames: u64,
    segments: u64,
    stored_segments: u64,
    torn_bytes: u64,
    last_write_us: u64,
    /// The newest note, and every segment after it.
    listed: Vec<Listed>,
    /// A segment that is in the store alone, and for which no checkpoint speaks.
    unproven: Option<u64>,
    /// The spool has a segment of which nothing can be read.
    pub(super) damaged: bool,
    /// The first name under which the store has somebody else's bytes.
    pub(super) fork: Option<ObjectName>,
}

impl<'a> Orphan<'a> {
    pub(super) fn new(
        genesis: &Genesis,
        bytes: &[u8],
        carrier: &'a Carrier,
        stored: Stored<'a>,
    ) -> Result<Self, RecoverError> {
        let boot_id = boot_id().map_err(RecoverError::Spool)?;
        Ok(Self {
            session: genesis.session,
            carrier,
            stored,
            rebooted: boot_id != genesis.boot_id,
            boot_id,
            link: Link::genesis(bytes),
            frames: 0,
            segments: 0,
            stored_segments: 0,
            torn_bytes: 0,
            last_write_us: genesis.created.0,
            listed: vec![(ObjectName::Genesis, Digest::of(bytes))],
            unproven: None,
            damaged: false,
            fork: None,
        })
    }

    /// Returns where the dead recorder spooled.
    pub(super) fn spool(&self) -> &'a Path {
        &self.carrier.spool
    }

    /// Ships an object; returns whether it is in the store. Where somebody else's bytes are, ours cannot be.
    pub(super) fn put(&mut self, name: ObjectName, bytes: &[u8]) -> Result<bool, RecoverError> {
        match self.carrier.put(name, bytes) {
            Ok(()) => Ok(true),
            Err(ShipError::Fork(_)) => Ok(self.forked(name)),
            Err(ShipError::Store(_)) if self.stored.is_squatted(name) => Ok(self.forked(name)),
            Err(e) => Err(e.into()),
        }
    }

    fn forked(&mut self, name: ObjectName) -> bool {
        self.fork.get_or_insert(name);
        false
    }

    /// Returns whether the store has an end of this name that a trusted key signed: another one ends nothing.
    pub(super) fn ends_with(&mut self, name: ObjectName) -> Result<bool, RecoverError> {
        Ok(match self.stored.end(name)? {
            None => false,
            Some(true) => true,
            Some(false) => self.forked(name),
        })
    }

    /// Ships what is missing in the store, in order, and follows the chain over all of it.
    pub(super) fn ship(&mut self) -> Result<(), RecoverError> {
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

    /// What stands behind the last is somebody else's, too: it cannot be taken away, nor be shipped over.
    pub(super) fn look_behind(&mut self) {
        let bare = matches!(self.listed.last(), Some((ObjectName::Segment(_), _)));
        let checkpoints = if bare { self.segments.saturating_sub(1) } else { self.segments };
        if let Some(name) = self.stored.behind(self.segments, checkpoints) {
            self.forked(name);
        }
    }

    /// Returns the next segment, without a torn tail.
    fn segment(&mut self) -> Result<Option<Segment>, RecoverError> {
        let name = ObjectName::Segment(self.segments);
        let spooled = self.spooled(name)?;
        let stored = self.stored(name, spooled.as_deref())?;
        let there = stored.is_some();
        let Some(mut bytes) = stored.or(spooled) else { return Ok(None) };
        let Some((walk, end)) = self.walk(&bytes) else {
            self.torn_bytes += bytes.len() as u64;
            self.damaged = !there;
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

    /// Returns the stored bytes of a segment, if they are its own: what is whole of it in the spool, or what comes
    /// after it by the word of somebody who signs. Links alone anyone can make.
    fn stored(
        &mut self,
        name: ObjectName,
        spooled: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, RecoverError> {
        let Some(stored) = self.stored.get(name)? else { return Ok(None) };
        let whole = spooled.map(|spooled| {
            let len = self.walk(spooled).map_or(0, |(walk, _)| walk.whole_len());
            spooled.get(..len).unwrap_or_default()
        });
        let goes_on =
            self.walk(&stored).is_some() && whole.is_none_or(|whole| stored.starts_with(whole));
        if goes_on && (whole == Some(stored.as_slice()) || self.is_proven(&stored)?) {
            return Ok(Some(stored));
        }
        self.forked(name);
        Ok(None)
    }

    /// Returns whether a segment that the spool has not, or not whole, is the session's. Its checkpoint is spooled
    /// before it is stored, so one is there, unless the power went before the disk had it.
    fn is_proven(&mut self, stored: &[u8]) -> Result<bool, RecoverError> {
        if self.stored.is_ended_behind(self.segments) {
            return Ok(true);
        }
        let name = ObjectName::Checkpoint(self.segments);
        let checkpoint = match whole_note(&self.carrier.spool, name, NoteKind::Checkpoint) {
            Some(bytes) => Some(bytes),
            None => self.stored.get(name)?,
        };
        if checkpoint.is_some_and(|checkpoint| self.stored.proves(&checkpoint, stored)) {
            return Ok(true);
        }
        if self.rebooted {
            self.unproven = Some(self.segments);
        }
        Ok(self.rebooted)
    }

    fn spooled(&mut self, name: ObjectName) -> Result<Option<Vec<u8>>, RecoverError> {
        let path = self.carrier.spool.join(name.to_string());
        match read_limited(&path, SEGMENT_MAX) {
            Ok(bytes) => self.written(&path).map(|()| Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(RecoverError::Spool(e)),
        }
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

    /// Returns a segment's checkpoint. One that is in the store alone must be the session's.
    fn checkpoint(&mut self, number: u64) -> Result<Option<Vec<u8>>, RecoverError> {
        let name = ObjectName::Checkpoint(number);
        let spooled = whole_note(&self.carrier.spool, name, NoteKind::Checkpoint);
        let is_spooled = spooled.is_some();
        let Some(bytes) = spooled.map_or_else(|| self.stored.get(name), |bytes| Ok(Some(bytes)))?
        else {
            return Ok(None);
        };
        let made = self.stored.follow(&bytes);
        if made.is_none() && !is_spooled && !self.stored.is_ended_behind(number) {
            self.forked(name);
            return Ok(None);
        }
        // Of a segment that was shipped nothing is left in the spool to be looked at.
        self.last_write_us = made.map_or(0, |made| made.0).max(self.last_write_us);
        Ok(Some(bytes))
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

    pub(super) fn recovery(&self, clock: &dyn Clock) -> Recovery {
        let reason = match (self.rebooted, self.unproven) {
            (false, _) => "the recorder ended without sealing: killed, or crashed".to_owned(),
            (true, None) => RESTARTED.to_owned(),
            (true, Some(segment)) => format!(
                "{RESTARTED}; of segment {segment} the store alone has all, and no checkpoint speaks for it"
            ),
        };
        Recovery {
            session: self.session,
            recovered: Stamp(clock.wall_us()),
            boot_id: self.boot_id.clone(),
            reason,
            segments: self.segments,
            frames: self.frames,
            link: self.link,
            torn_bytes: self.torn_bytes,
            stored_segments: self.stored_segments,
            last_write: Stamp(self.last_write_us),
            objects: self.listed.clone(),
        }
    }
}

const RESTARTED: &str = "the host restarted while the session ran";
