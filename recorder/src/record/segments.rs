//! Frames into segments, segments into checkpoints. What the disk did not take is tried again, and no number
//! is sealed twice with one key.

use super::{Open, RecordError, Recorder};
use crate::format::chain::Digest;
use crate::format::checkpoint::{Checkpoint, listed_before};
use crate::format::note::{self, NoteKind};
use crate::format::seal::Sealer;
use crate::format::segment::{self, Header, RECORD_HEAD};
use crate::format::session::ObjectName;
use crate::format::sign::SessionKey;
use crate::record::epoch::Stepped;

impl Recorder {
    /// Seals and spools one frame. A segment in which this failed takes no more frames.
    pub(super) fn frame(&mut self, now_us: u64, plain: &[u8]) -> Result<(), RecordError> {
        let due = self.due_ms(now_us) == 0;
        if let Some(open) = &self.open
            && (due || open.spent || open.bytes >= self.limits.segment_bytes)
        {
            self.close_segment(now_us)?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_segment(now_us)?,
        };
        let framed = self.frame_in(&mut open, plain);
        open.spent = framed.is_err();
        self.open = Some(open);
        framed
    }

    fn frame_in(&mut self, open: &mut Open, plain: &[u8]) -> Result<(), RecordError> {
        self.record.clear();
        self.record.resize(RECORD_HEAD, 0);
        open.sealer.seal(self.link, plain, &mut self.record)?;
        let link = self.link.frame(self.frames, self.record.get(RECORD_HEAD..).unwrap_or_default());
        segment::frame_record(&mut self.record, link)?;
        self.spool.append(&self.record).map_err(RecordError::Spool)?;
        sha2::Digest::update(&mut open.digest, &self.record);
        open.frames += 1;
        open.bytes += self.record.len() as u64;
        self.epochs.sealed(self.record.len() as u64);
        self.link = link;
        self.frames += 1;
        Ok(())
    }

    pub(super) fn open_segment(&mut self, now_us: u64) -> Result<Open, RecordError> {
        self.put_again()?;
        let stepped = match self.unopened.take() {
            Some(stepped) => stepped,
            None => self.epochs.step(self.segments, self.link, &self.clerk, now_us)?,
        };
        let opened = self.open_with(&stepped, now_us);
        if opened.is_err() {
            self.unopened = Some(stepped);
        }
        opened
    }

    fn open_with(&mut self, stepped: &Stepped, now_us: u64) -> Result<Open, RecordError> {
        let number = self.segments;
        let header = Header {
            session: self.session,
            segment: number,
            first_frame: self.frames,
            previous: self.link,
            wall_us: self.clock.wall_us(),
            boot_us: now_us,
            epoch: stepped.epoch,
            step: stepped.step,
            commitment: stepped.key.commitment,
            keys: stepped.keys.clone(),
        };
        let head = header.encode()?;
        let sealer = match self.closed.take() {
            Some(closed) => closed.next_segment(&stepped.key.key, self.frames)?,
            None => Sealer::new(&stepped.key.key, self.session, number, self.frames)?,
        };
        self.spool.begin(ObjectName::Segment(number)).map_err(RecordError::Spool)?;
        self.spool.append(&head).map_err(RecordError::Spool)?;
        self.link = self.link.header(number, &head);
        let digest = sha2::Digest::new_with_prefix(&head);
        Ok(Open {
            sealer,
            opened_us: now_us,
            frames: 0,
            bytes: head.len() as u64,
            digest,
            spent: false,
        })
    }

    /// Ends the growing segment and signs its checkpoint; both are then shipped.
    pub(super) fn close_segment(&mut self, now_us: u64) -> Result<(), RecordError> {
        self.put_again()?;
        let Some(open) = &self.open else { return Ok(()) };
        let marker = segment::end_marker(open.frames, self.link);
        self.spool.append(&marker).map_err(RecordError::Spool)?;
        let len = self.spool.close();
        let number = self.segments;
        let digest = sha2::Digest::chain_update(open.digest.clone(), marker);
        let digest = Digest::from(<[u8; 32]>::from(sha2::Digest::finalize(digest)));
        self.closed = self.open.take().map(|open| open.sealer);
        self.segments += 1;
        self.last_us = now_us;
        self.unsent = Some((ObjectName::Segment(number), len, digest));
        let note = self.checkpoint(number, digest, now_us)?;
        self.put(ObjectName::Checkpoint(number), &note)
    }

    fn checkpoint(
        &mut self,
        number: u64,
        digest: Digest,
        now_us: u64,
    ) -> Result<Vec<u8>, RecordError> {
        let next = SessionKey::generate()?;
        debug_assert_eq!(self.newest_note.0, listed_before(number));
        let checkpoint = Checkpoint {
            session: self.session,
            checkpoint: number,
            frames: self.frames,
            link: self.link,
            objects: [self.newest_note, (ObjectName::Segment(number), digest)],
            wall: self.clock.now(),
            boot_us: now_us,
            boot_id: self.boot_id.clone(),
            next: next.public(),
            cosigned: self.cosigner.collect(),
        };
        let text = note::text(NoteKind::Checkpoint, &checkpoint)?;
        let signature = std::mem::replace(&mut self.session_key, next).sign(self.session, &text);
        self.cosigner.ask(number, &text, &self.clerk, now_us);
        Ok(note::assemble(&text, &[signature]))
    }

    /// Spools a whole note and hands it to shipping, behind the segment that it is of. A note that the disk did not
    /// take is kept: its key is gone, so there will be no other.
    pub(super) fn put(&mut self, name: ObjectName, bytes: &[u8]) -> Result<(), RecordError> {
        self.newest_note = (name, Digest::of(bytes));
        if let Err(e) = self.spool.put(name, bytes) {
            self.unput = Some((name, bytes.to_vec()));
            return Err(RecordError::Spool(e));
        }
        if let Some((segment, len, digest)) = self.unsent.take() {
            self.shipper.send(segment, len, digest);
        }
        self.shipper.send(name, bytes.len() as u64, self.newest_note.1);
        Ok(())
    }

    fn put_again(&mut self) -> Result<(), RecordError> {
        if let Some((name, bytes)) = self.unput.take() {
            self.put(name, &bytes)?;
        }
        Ok(())
    }
}
