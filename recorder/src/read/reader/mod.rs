//! Reading a tape: hands out only what the chain and the seal of each frame vouch for (FORMAT.md 7).

mod events;
mod keys;

use std::collections::VecDeque;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::format::codec::LineError;
use crate::format::genesis::Genesis;
use crate::format::note::{Note, NoteError, NoteKind};
use crate::format::seal::{Opener, SealError};
use crate::format::segment::{Header, Record, SegmentError, Walk};
use crate::format::session::ObjectName;
use crate::keys::{KeyError, KeyOpener};
use crate::read::verdict::{Report, Stretch};
use crate::store::StoreError;
use crate::store::tape::Tape;

pub use self::events::{Events, TapeEvent};
use self::keys::SegmentKeys;

/// Opens the frames of a verified tape: one sealed segment and one opened frame in memory at a time.
pub struct Reader<'a> {
    tape: &'a Tape<'a>,
    opener: &'a dyn KeyOpener,
    genesis: Genesis,
    keys: SegmentKeys,
    stretches: VecDeque<Stretch>,
    current: Option<Current>,
    /// The number of the frame that comes next, where nothing is missing.
    expected: u64,
    /// The segment that comes next, where nothing is missing.
    segment: u64,
    /// Whether something was missing so far: then keys may be, too.
    holed: bool,
}

/// The segment that is being read.
struct Current {
    bytes: Vec<u8>,
    walk: Walk,
    opener: Opener,
    frames_left: u64,
    signed: bool,
}

/// What a tape gives next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The plaintext of a frame: whole lines of the asciicast.
    Frame(Vec<u8>),
    /// Frames that nobody vouches for, or that do not open, stood here: the first, and the one after the last.
    Hole(u64, u64),
}

impl<'a> Reader<'a> {
    /// Begins to read what `report` found good: every frame that links, and of a broken tape those that a signed note
    /// covers, too, or that stand before a break.
    ///
    /// # Errors
    /// When the genesis cannot be read, or the first key cannot be opened.
    pub fn begin(
        tape: &'a Tape<'a>,
        report: &Report,
        opener: &'a dyn KeyOpener,
    ) -> Result<Self, ReadError> {
        let bytes = tape.get(ObjectName::Genesis)?;
        let genesis = Note::parse(NoteKind::Genesis, &bytes)?.read()?;
        let stretches = report.good.iter().copied();
        let stretches = stretches.filter(|stretch| stretch.frames > 0 || stretch.signed);
        let mut reader = Self {
            tape,
            opener,
            genesis,
            keys: SegmentKeys::default(),
            stretches: stretches.collect(),
            current: None,
            expected: 0,
            segment: 0,
            holed: false,
        };
        let first = reader.stretches.front();
        if first.is_some_and(|first| first.first_frame == 0 && first.signed) {
            reader.current = reader.next_segment()?;
        }
        Ok(reader)
    }

    /// Returns what the genesis says.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Returns the plaintext of the next frame: whole lines of the asciicast. Holes are passed over.
    ///
    /// # Errors
    /// When it does not open. Nothing more can be read then.
    pub fn frame(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        loop {
            match self.given()? {
                Some(Given::Frame(plain)) => return Ok(Some(plain)),
                Some(Given::Hole(..)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Returns the next frame, or the hole before it.
    ///
    /// # Errors
    /// When it does not open. Nothing more can be read then.
    pub fn given(&mut self) -> Result<Option<Given>, ReadError> {
        loop {
            if let Some(given) = self.record()? {
                return Ok(Some(given));
            }
            let Some(stretch) = self.stretches.front().copied() else { return Ok(None) };
            if stretch.first_frame > self.expected {
                return Ok(Some(self.hole(stretch.first_frame)));
            }
            match self.next_segment() {
                Ok(current) => self.current = current,
                // Nothing signed covers it, or its keys are lost: that must not hide what follows.
                Err(e) if self.lost(&e, stretch.signed) => {
                    self.current = None;
                    if stretch.frames > 0 {
                        return Ok(Some(self.hole(stretch.first_frame + stretch.frames)));
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Whether a segment that cannot be opened is one more that is missing, and no fault of the key that was given.
    fn lost(&self, why: &ReadError, signed: bool) -> bool {
        match why {
            ReadError::Store(_) => false,
            ReadError::Key(_) => self.holed,
            _ => self.holed || !signed,
        }
    }

    fn hole(&mut self, to: u64) -> Given {
        let from = self.expected;
        self.expected = to;
        self.holed = true;
        Given::Hole(from, to)
    }

    /// Returns the next frame of the segment that is being read, if it has one more.
    fn record(&mut self) -> Result<Option<Given>, ReadError> {
        let Some(current) = self.current.as_mut() else { return Ok(None) };
        if current.frames_left == 0 {
            return Ok(None);
        }
        let step = current.walk.step(&current.bytes)?;
        let Record::Frame { frame, previous, sealed } = step else { return Ok(None) };
        let after = frame + current.frames_left;
        current.frames_left -= 1;
        match current.opener.open(previous, sealed) {
            Ok(plain) => {
                self.expected = frame + 1;
                Ok(Some(Given::Frame(plain)))
            }
            // Whoever can write to the store can put frames behind what is signed; only opening tells.
            Err(_) if !current.signed => {
                current.frames_left = 0;
                Ok(Some(self.hole(after)))
            }
            Err(why) => Err(ReadError::Frame { frame, why }),
        }
    }

    fn next_segment(&mut self) -> Result<Option<Current>, ReadError> {
        let Some(stretch) = self.stretches.pop_front() else { return Ok(None) };
        for lost in self.segment..stretch.segment {
            self.pass_over(lost);
        }
        let number = stretch.segment;
        let bytes = self.tape.get(ObjectName::Segment(number))?;
        let (header, head) = Header::decode(&bytes)?;
        // The chain was verified before, but these bytes were read again since.
        let adjacent = self.segment == number;
        let last = self.current.as_ref().filter(|last| adjacent && last.frames_left == 0);
        let broken_off =
            |last: &Current| !matches!(last.walk.clone().step(&last.bytes), Ok(Record::End));
        let follows = |last: &Current| last.walk.link() == header.previous || broken_off(last);
        if !last.is_none_or(follows) || header.first_frame != stretch.first_frame {
            return Err(ReadError::Changed(number));
        }
        self.segment = number + 1;
        self.keys.opened(number, header.previous);
        let key = self.keys.of(&header, &self.genesis, self.opener)?;
        if verify_slices_are_equal(&key.commitment, &header.commitment).is_err() {
            return Err(ReadError::Commitment(number));
        }
        let opener = Opener::new(&key.key, self.genesis.session, number, header.first_frame)?;
        let walk = Walk::new(&header, head);
        Ok(Some(Current {
            bytes,
            walk,
            opener,
            frames_left: stretch.frames,
            signed: stretch.signed,
        }))
    }

    /// A segment without a good frame may still have its epoch's key: the commitment of the next one tells whether it
    /// is the right one.
    fn pass_over(&mut self, number: u64) {
        let Ok(bytes) = self.tape.get(ObjectName::Segment(number)) else { return };
        let Ok((header, _)) = Header::decode(&bytes) else { return };
        self.keys.opened(number, header.previous);
        if header.keys.is_some() {
            // What does not open here is told where it is needed.
            drop(self.keys.of(&header, &self.genesis, self.opener));
        }
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({:?}, segment {})", self.tape, self.segment)
    }
}

/// Why a tape cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The genesis.
    #[error("genesis: {0}")]
    Note(#[from] NoteError),
    /// A segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key that was opened is not the one that the segment was sealed with.
    #[error("segment {0}: the key is not the one that its header commits to")]
    Commitment(u64),
    /// The segment is not the one that was verified.
    #[error("segment {0} was changed after it was verified")]
    Changed(u64),
    /// A frame's seal.
    #[error("frame {frame}: {why}")]
    Frame {
        /// Which frame.
        frame: u64,
        /// Why.
        why: SealError,
    },
    /// The library.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The plaintext.
    #[error(transparent)]
    Line(#[from] LineError),
    /// There is no frame at all.
    #[error("the tape has no frame")]
    Empty,
}
