//! The recorder: takes events, and returns only once the frame that carries them is in the spool.

pub mod clerk;
pub mod cosign;
pub mod epoch;
pub mod host;
pub mod mark;
mod segments;
pub mod ship;
pub mod spool;
mod start;
pub mod sync;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::format::chain::{Digest, Link};
use crate::format::checkpoint::Listed;
use crate::format::closing::{Gap, ReadBack, Seal, Total};
use crate::format::codec::{Encoder, Header as CastHeader};
use crate::format::event::{Event, Notice};
use crate::format::genesis::Limits;
use crate::format::note::{self, NoteError, NoteKind};
use crate::format::seal::{SealError, Sealer};
use crate::format::segment::SegmentError;
use crate::format::session::{ObjectName, SessionId};
use crate::format::sign::{SessionKey, SignError};
use crate::format::stamp::Stamp;
use crate::keys::{KeyError, KeyService};
use crate::record::clerk::Clerk;
use crate::record::cosign::Cosigner;
use crate::record::epoch::{Epochs, KeyWatch, Stepped};
use crate::record::host::HostCount;
use crate::record::ship::{Progress, ShipError, Shipper, Watch};
use crate::record::spool::Spool;
use crate::store::ObjectStore;

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
    /// Where the genesis must be before anything happens.
    pub begins: Begins,
}

/// Where a genesis must be before its session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// In the store: that a session began cannot be taken back.
    Stored,
    /// In the spool, where the store is away: it is shipped first, as soon as that can be.
    Spooled,
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
    /// What sealed the segment before: the next one is sealed with its memory.
    closed: Option<Sealer>,
    /// The key of a segment that could not be opened: nothing was sealed with it.
    unopened: Option<Stepped>,
    /// A signed note that could not be spooled.
    unput: Option<(ObjectName, Vec<u8>)>,
    /// A segment is stored only once its checkpoint is spooled: what a dead recorder left in the store alone can be told
    /// from what somebody else put there.
    unsent: Option<(ObjectName, u64, Digest)>,
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
    /// How many frames.
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

    /// Returns a view of shipping that needs no recorder.
    pub fn watch(&self) -> Watch {
        self.shipper.watch()
    }

    /// Returns a view of where the keys come from.
    pub fn key_watch(&self) -> KeyWatch {
        self.epochs.watch()
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
        // An event without bytes has no line, and needs no frame.
        let framed = if plain.is_empty() { Ok(()) } else { self.frame(now_us, &plain) };
        self.plain = plain;
        framed?;
        self.count(event);
        Ok(())
    }

    /// Does what time demands: closes an old segment, or sends a heartbeat.
    ///
    /// # Errors
    /// When the tape cannot go on. The session must end.
    pub fn tick(&mut self) -> Result<(), RecordError> {
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
    pub fn finish(
        mut self,
        about: Map<String, Value>,
        patience: Duration,
    ) -> Result<Closed, RecordError> {
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
            sealed: self.clock.now(),
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
        let text = note::text(NoteKind::Seal, &seal)?;
        let by_session = std::mem::replace(&mut self.session_key, SessionKey::generate()?)
            .sign(self.session, &text);
        let ring = self.clerk.ring().clone();
        let by_signer = match (self.clerk.sign(&text).wait(), &ring.standby) {
            (Ok(der), _) => ring.sign.line(&ring.sign_name, der),
            (Err(_), Some(standby)) => standby.line(&text)?,
            (Err(e), None) => return Err(e.into()),
        };
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
    /// The store did not take the genesis.
    #[error("the evidence store failed")]
    Unstored(#[source] Arc<ShipError>),
    /// An earlier event was not accepted.
    #[error("the tape has ended")]
    Ended,
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
