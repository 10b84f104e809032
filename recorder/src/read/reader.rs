//! Reading a tape: hands out only what the chain and the seal of each frame vouch for (FORMAT.md 7).

use std::collections::VecDeque;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::format::chain::Link;
use crate::format::codec::{Header as CastHeader, Line, LineError, MARK, parse_header};
use crate::format::genesis::Genesis;
use crate::format::note::{Kind, Note, NoteError};
use crate::format::seal::{Opener, SealError};
use crate::format::segment::{Header, Record, SegmentError, Walk};
use crate::format::session::ObjectName;
use crate::keys::{KeyError, KeyOpener, Ratchet, WrapContext};
use crate::read::verdict::Report;
use crate::store::StoreError;
use crate::store::tape::Tape;

/// Opens the frames of a verified tape: one sealed segment and one opened frame in memory at a time.
pub struct Reader<'a> {
    tape: &'a Tape<'a>,
    opener: &'a dyn KeyOpener,
    genesis: Genesis,
    openings: Vec<Link>,
    ratchet: Option<Ratchet>,
    current: Option<Current>,
    segments: u64,
    frames_left: u64,
}

/// The segment that is being read.
struct Current {
    bytes: Vec<u8>,
    walk: Walk,
    opener: Opener,
}

impl<'a> Reader<'a> {
    /// Begins to read what `report` found good: everything up to the first break.
    ///
    /// # Errors
    /// When the genesis cannot be read, or the first key cannot be opened.
    pub fn begin(
        tape: &'a Tape<'a>,
        report: &Report,
        opener: &'a dyn KeyOpener,
    ) -> Result<Self, ReadError> {
        let bytes = tape.get(ObjectName::Genesis)?;
        let genesis = Note::parse(Kind::Genesis, &bytes)?.read()?;
        let mut reader = Self {
            tape,
            opener,
            genesis,
            openings: Vec::new(),
            ratchet: None,
            current: None,
            segments: tape.segments(),
            frames_left: report.frames,
        };
        if reader.frames_left > 0 {
            reader.current = reader.next_segment()?;
        }
        Ok(reader)
    }

    /// Returns what the genesis says.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Returns the plaintext of the next frame: whole lines of the asciicast.
    ///
    /// # Errors
    /// When it does not open. Nothing more can be read then.
    pub fn frame(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        while self.frames_left > 0 {
            let Some(current) = &mut self.current else { return Ok(None) };
            if let Record::Frame { frame, previous, sealed } = current.walk.step(&current.bytes)? {
                self.frames_left -= 1;
                let opened = current.opener.open(previous, sealed);
                return opened.map(Some).map_err(|why| ReadError::Frame { frame, why });
            }
            self.current = self.next_segment()?;
        }
        Ok(None)
    }

    fn next_segment(&mut self) -> Result<Option<Current>, ReadError> {
        let number = self.openings.len() as u64;
        if number >= self.segments {
            return Ok(None);
        }
        let bytes = self.tape.get(ObjectName::Segment(number))?;
        let (header, head) = Header::decode(&bytes)?;
        // The chain was verified before, but these bytes were read again since.
        if self.current.as_ref().is_some_and(|last| last.walk.link() != header.previous) {
            return Err(ReadError::Changed(number));
        }
        self.openings.push(header.previous);
        let key = self.segment_key(&header)?;
        if verify_slices_are_equal(&key.commitment, &header.commitment).is_err() {
            return Err(ReadError::Commitment(number));
        }
        let opener = Opener::new(&key.key, self.genesis.session, number, header.first_frame)?;
        let walk = Walk::new(&header, head);
        Ok(Some(Current { bytes, walk, opener }))
    }

    fn segment_key(&mut self, header: &Header) -> Result<crate::keys::SegmentKey, ReadError> {
        if let Some(keys) = &header.keys {
            let at = usize::try_from(keys.minted).unwrap_or(usize::MAX);
            let link = *self.openings.get(at).ok_or(ReadError::Commitment(header.segment))?;
            let context = WrapContext { session: self.genesis.session, epoch: header.epoch, link };
            let key = self.opener.open(&context, &self.genesis.keys.wrap, &keys.wraps)?;
            self.ratchet = Some(Ratchet::begin(key, self.genesis.session, header.epoch)?);
        }
        let ratchet = self.ratchet.as_mut().ok_or(ReadError::Commitment(header.segment))?;
        Ok(ratchet.step()?)
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({:?}, segment {})", self.tape, self.openings.len())
    }
}

/// The lines of a tape: the header first, then events with their exact bytes.
#[derive(Debug)]
pub struct Events<'a> {
    reader: Reader<'a>,
    header: CastHeader,
    lines: VecDeque<Line>,
}

/// An event of a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeEvent {
    /// The line: time, code, display text.
    pub line: Line,
    /// The exact bytes, where they are not the UTF-8 of the text.
    pub raw: Option<Vec<u8>>,
}

impl TapeEvent {
    /// Returns the exact bytes of an `o` or `i` event.
    pub fn bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.line.data.as_bytes())
    }

    /// Gives what stands on the tape as a single mark (FORMAT.md 7.1) the display text that it saved.
    fn spelled_out(mut self) -> Self {
        if let (MARK, Some(raw)) = (self.line.data.as_str(), &self.raw) {
            self.line.data = String::from_utf8_lossy(raw).into_owned();
        }
        self
    }
}

impl<'a> Events<'a> {
    /// Reads the header line.
    ///
    /// # Errors
    /// When the first frame does not open, or holds something else.
    pub fn begin(mut reader: Reader<'a>) -> Result<Self, ReadError> {
        let first = reader.frame()?.ok_or(ReadError::Empty)?;
        let end = first.iter().position(|b| *b == b'\n').ok_or(LineError)?;
        let (header, rest) = first.split_at_checked(end + 1).ok_or(LineError)?;
        let header = parse_header(header)?;
        let lines = parse_lines(rest)?;
        Ok(Self { reader, header, lines })
    }

    /// Returns the asciicast header.
    pub fn header(&self) -> &CastHeader {
        &self.header
    }

    /// Returns what the genesis says.
    pub fn genesis(&self) -> &Genesis {
        self.reader.genesis()
    }

    /// Returns the next event.
    ///
    /// # Errors
    /// When it does not open, or holds no line.
    pub fn event(&mut self) -> Result<Option<TapeEvent>, ReadError> {
        while self.lines.is_empty() {
            match self.reader.frame()? {
                Some(plain) => self.lines = parse_lines(&plain)?,
                None => return Ok(None),
            }
        }
        let Some(line) = self.lines.pop_front() else { return Ok(None) };
        // FORMAT.md 7.1: a B line stands at once behind its line, in the same frame.
        let raw = match self.lines.front() {
            Some(next) if next.code == 'B' && matches!(line.code, 'o' | 'i') => Some(next.exact()?),
            _ => None,
        };
        if raw.is_some() {
            self.lines.pop_front();
        }
        Ok(Some(TapeEvent { line, raw }.spelled_out()))
    }
}

fn parse_lines(plain: &[u8]) -> Result<VecDeque<Line>, LineError> {
    plain
        .split_inclusive(|b| *b == b'\n')
        .map(|line| Line::parse(line.strip_suffix(b"\n").ok_or(LineError)?))
        .collect()
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
