//! The recorder: takes events, and returns only once the frame that carries them is in the spool.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::chain::{Digest, Link};
use crate::checkpoint::{Checkpoint, Listed, listed_before};
use crate::clerk::Clerk;
use crate::clock::{Clock, Stamp};
use crate::closing::{Gap, ReadBack, Seal, Total};
use crate::codec::{Encoder, Header as CastHeader};
use crate::cosign::Cosigner;
use crate::epoch::{Epochs, Stepped};
use crate::event::{Event, Notice};
use crate::genesis::Limits;
use crate::host::HostCount;
use crate::keys::{KeyError, KeyService};
use crate::note::{self, Kind, NoteError};
use crate::seal::{SealError, Sealer};
use crate::segment::{self, Header, RECORD_HEAD, SegmentError};
use crate::session::{ObjectName, SessionId};
use crate::ship::{Progress, Shipper};
use crate::sign::{SessionKey, SignError};
use crate::spool::Spool;
use crate::store::ObjectStore;

mod start;

/// What a recorder needs to begin.
pub struct Setup {
    /// The session's id.
    pub session: SessionId,
    /// What the broker declares, for the genesis.
    pub about: Map<String, Value>,
    /// The asciicast header; `timestamp` is filled in.
    pub cast: CastHeader,
    /// The host's name.
    pub host_name: String,
    /// Where the host counts its sessions.
    pub state: PathBuf,
    /// Where spools are.
    pub spool: PathBuf,
    /// Where objects go.
    pub store: Arc<dyn ObjectStore>,
    /// Who mints and signs.
    pub keys: Box<dyn KeyService>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The limits.
    pub limits: Limits,
}

/// Records one session.
pub struct Recorder {
    session: SessionId,
    created: Stamp,
    start_us: u64,
    boot_id: String,
    limits: Limits,
    clock: Arc<dyn Clock>,
    state: PathBuf,
    spool: Spool,
    shipper: Shipper,
    clerk: Clerk,
    epochs: Epochs,
    cosigner: Cosigner,
    session_key: SessionKey,
    encoder: Encoder,
    open: Option<Open>,
    /// The key of a segment that could not be opened: nothing was sealed with it.
    unopened: Option<Stepped>,
    /// A signed note that could not be spooled.
    unput: Option<(ObjectName, Vec<u8>)>,
    segments: u64,
    frames: u64,
    link: Link,
    newest_note: Listed,
    last_us: u64,
    totals: BTreeMap<char, Total>,
    gaps: Vec<Gap>,
    plain: Vec<u8>,
    record: Vec<u8>,
}

/// The segment that is growing.
struct Open {
    sealer: Sealer,
    opened_us: u64,
    frames: u32,
    bytes: u64,
    digest: sha2::Sha256,
    /// A frame was sealed and is not on the tape: its number must not be sealed again with this key.
    spent: bool,
}

/// What is known of a session that was closed.
#[derive(Debug, Clone)]
pub struct Closed {
    /// Per event code.
    pub totals: BTreeMap<char, Total>,
    /// Frames and segments.
    pub frames: u64,
    /// How many segments.
    pub segments: u64,
    /// How far shipping came. Where something waits, the spool is kept for `recover`.
    pub progress: Progress,
}

impl Recorder {
    /// Returns when the session began.
    pub fn created(&self) -> Stamp {
        self.created
    }

    /// Returns how far shipping is.
    pub fn progress(&self) -> Progress {
        self.shipper.progress()
    }

    /// Returns since when the store does not take objects, if it does not.
    pub fn down(&self) -> Option<std::time::Instant> {
        self.shipper.down()
    }

    /// Returns how many bytes wait in the spool for the store.
    pub fn waiting_bytes(&self) -> u64 {
        self.shipper.waiting_bytes()
    }

    /// Records an event. When this returns, the event may take effect.
    ///
    /// # Errors
    /// When the event is not on the tape. The session must end.
    pub fn accept(&mut self, event: Event<'_>) -> Result<(), RecordError> {
        let now_us = self.clock.boot_us();
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        self.encoder.event(now_us.saturating_sub(self.start_us), event, &mut plain);
        let framed = self.frame(now_us, &plain);
        self.plain = plain;
        framed?;
        self.count(event);
        Ok(())
    }

    /// Does what time demands: closes an old segment, sends a heartbeat, notices a store that failed for good.
    ///
    /// # Errors
    /// When the tape cannot go on. The session must end.
    pub fn tick(&mut self) -> Result<(), RecordError> {
        if let Some(why) = self.shipper.fatal() {
            return Err(RecordError::Store(why));
        }
        let now_us = self.clock.boot_us();
        if self.due_ms(now_us) > 0 {
            return Ok(());
        }
        if self.open.is_none() {
            self.open = Some(self.open_segment(now_us)?);
        }
        self.close_segment(now_us)
    }

    /// Returns how many milliseconds from now [`Recorder::tick`] has something to do.
    pub fn next_tick_ms(&self) -> u64 {
        self.due_ms(self.clock.boot_us())
    }

    fn due_ms(&self, now_us: u64) -> u64 {
        let (since_us, after_ms) = match &self.open {
            Some(open) => (open.opened_us, self.limits.segment_ms),
            None => (self.last_us, self.limits.heartbeat_ms),
        };
        let due_us = since_us.saturating_add(after_ms.saturating_mul(1_000));
        due_us.saturating_sub(now_us).div_ceil(1_000)
    }

    /// Says on the tape, and later in the seal, that something was lost before it could be recorded.
    ///
    /// # Errors
    /// When even that cannot be recorded.
    pub fn declare_gap(&mut self, bytes: u64, why: &str) -> Result<(), RecordError> {
        self.gaps.push(Gap { frame: self.frames, bytes, why: why.to_owned() });
        self.accept(Event::Notice(&Notice::Gap { bytes, why: why.to_owned() }))
    }

    /// Gives the spool's reserve back, after a disk was found full: closing fits into it.
    ///
    /// # Errors
    /// When the reserve cannot be removed.
    pub fn release_reserve(&mut self) -> Result<(), RecordError> {
        self.spool.release_reserve().map_err(RecordError::Spool)
    }

    /// Ends the tape: the last segment, then shipping (for at most `patience`), then the seal.
    ///
    /// # Errors
    /// When the seal could not be written. The spool stays, and `recover` finishes.
    pub fn finish(mut self, about: Map<String, Value>, patience: Duration) -> Result<Closed, RecordError> {
        self.release_reserve()?;
        let now_us = self.clock.boot_us();
        self.close_segment(now_us)?;
        self.spool.settle().map_err(RecordError::Spool)?;
        let shipped = self.shipper.drain(patience);
        self.seal(about, &shipped)?;
        self.spool.settle().map_err(RecordError::Spool)?;
        let patience = if shipped.waiting == 0 { patience } else { Duration::ZERO };
        let progress = self.shipper.drain(patience);
        if progress.waiting == 0 {
            // Only an end that is in the store may be named by the host's next session.
            let count = HostCount::open(&self.state).map_err(RecordError::Spool)?;
            count.ended(self.session, self.link).map_err(RecordError::Spool)?;
            self.spool.remove().map_err(RecordError::Spool)?;
        }
        Ok(Closed { totals: self.totals, frames: self.frames, segments: self.segments, progress })
    }

    fn seal(&mut self, about: Map<String, Value>, shipped: &Progress) -> Result<(), RecordError> {
        let seal = Seal {
            session: self.session,
            sealed: Stamp(self.clock.wall_us()),
            boot_us: self.clock.boot_us(),
            boot_id: self.boot_id.clone(),
            segments: self.segments,
            frames: self.frames,
            link: self.link,
            objects: [self.newest_note],
            totals: self.totals.clone(),
            gaps: self.gaps.clone(),
            read_back: (shipped.waiting == 0).then_some(ReadBack { objects: shipped.stored }),
            about,
        };
        let text = note::text(Kind::Seal, &seal)?;
        let by_session =
            std::mem::replace(&mut self.session_key, SessionKey::generate()?).sign(self.session, &text);
        let ring = self.clerk.ring().clone();
        let by_signer = ring.sign.line(&ring.sign_name, self.clerk.sign(&text).wait()?);
        self.put(ObjectName::Seal, &note::assemble(&text, &[by_session, by_signer]))
    }

    fn count(&mut self, event: Event<'_>) {
        let (code, bytes) = match event {
            Event::Output(bytes) => ('o', bytes.len() as u64),
            Event::Input(bytes) => ('i', bytes.len() as u64),
            Event::Resize { .. } => ('r', 0),
            Event::Marker(_) => ('m', 0),
            Event::Exit(_) => ('x', 0),
            Event::Notice(_) => ('N', 0),
        };
        let total = self.totals.entry(code).or_default();
        total.events += 1;
        total.bytes += bytes;
    }

    /// Seals and spools one frame. A segment in which this failed takes no more frames.
    fn frame(&mut self, now_us: u64, plain: &[u8]) -> Result<(), RecordError> {
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

    fn open_segment(&mut self, now_us: u64) -> Result<Open, RecordError> {
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
        let sealer = Sealer::new(&stepped.key.key, self.session, number, self.frames)?;
        self.spool.begin(ObjectName::Segment(number)).map_err(RecordError::Spool)?;
        self.spool.append(&head).map_err(RecordError::Spool)?;
        self.link = self.link.header(number, &head);
        let digest = sha2::Digest::new_with_prefix(&head);
        Ok(Open { sealer, opened_us: now_us, frames: 0, bytes: head.len() as u64, digest, spent: false })
    }

    /// Ends the growing segment and signs its checkpoint; both are then shipped.
    fn close_segment(&mut self, now_us: u64) -> Result<(), RecordError> {
        self.put_again()?;
        let Some(open) = &self.open else { return Ok(()) };
        let marker = segment::end_marker(open.frames, self.link);
        self.spool.append(&marker).map_err(RecordError::Spool)?;
        let len = self.spool.close();
        let number = self.segments;
        let digest = sha2::Digest::chain_update(open.digest.clone(), marker);
        let digest = Digest::from(<[u8; 32]>::from(sha2::Digest::finalize(digest)));
        self.open = None;
        self.segments += 1;
        self.last_us = now_us;
        self.shipper.send(ObjectName::Segment(number), len);
        self.checkpoint(number, digest, now_us)
    }

    fn checkpoint(&mut self, number: u64, digest: Digest, now_us: u64) -> Result<(), RecordError> {
        let next = SessionKey::generate()?;
        debug_assert_eq!(self.newest_note.0, listed_before(number));
        let checkpoint = Checkpoint {
            session: self.session,
            checkpoint: number,
            frames: self.frames,
            link: self.link,
            objects: [self.newest_note, (ObjectName::Segment(number), digest)],
            wall: Stamp(self.clock.wall_us()),
            boot_us: now_us,
            boot_id: self.boot_id.clone(),
            next: next.public(),
            cosigned: self.cosigner.collect(),
        };
        let text = note::text(Kind::Checkpoint, &checkpoint)?;
        let signature = std::mem::replace(&mut self.session_key, next).sign(self.session, &text);
        self.cosigner.ask(number, &text, &self.clerk, now_us);
        self.put(ObjectName::Checkpoint(number), &note::assemble(&text, &[signature]))
    }

    /// Spools a whole note and hands it to shipping. A note that the disk did not take is kept: its key is
    /// gone, so there will be no other.
    fn put(&mut self, name: ObjectName, bytes: &[u8]) -> Result<(), RecordError> {
        self.newest_note = (name, Digest::of(bytes));
        if let Err(e) = self.spool.put(name, bytes) {
            self.unput = Some((name, bytes.to_vec()));
            return Err(RecordError::Spool(e));
        }
        self.shipper.send(name, bytes.len() as u64);
        Ok(())
    }

    fn put_again(&mut self) -> Result<(), RecordError> {
        self.unput.take().map_or(Ok(()), |(name, bytes)| self.put(name, &bytes))
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({}, {} frames)", self.session, self.frames)
    }
}

/// Why something is not on the tape.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The spool did not take it.
    #[error("cannot write to the spool")]
    Spool(#[source] io::Error),
    /// The store failed for good.
    #[error("the evidence store failed: {0}")]
    Store(String),
    /// A key could not be had or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A session key could not be made.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A frame could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A segment could not be written.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A note could not be written.
    #[error(transparent)]
    Note(#[from] NoteError),
}
