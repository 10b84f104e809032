//! Segments: a clear header, sealed frames, an end marker (FORMAT.md 6).

use serde::{Deserialize, Serialize};

use crate::format::base64;
use crate::format::chain::Link;
use crate::format::epoch_key::Wrap;
use crate::format::once;
use crate::format::seal::{SEALED_MAX, SEALED_MIN};
use crate::format::session::SessionId;

/// The clear first part of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The session.
    pub session: SessionId,
    /// The segment's number.
    pub segment: u64,
    /// How many frames came before it.
    pub first_frame: u64,
    /// The link before it.
    pub previous: Link,
    /// Wall time when it was opened, in microseconds.
    pub wall_us: u64,
    /// Boot time when it was opened, in microseconds.
    pub boot_us: u64,
    /// The key epoch.
    pub epoch: u32,
    /// The ratchet step in the epoch.
    pub step: u32,
    /// What the segment's key commits to.
    pub commitment: [u8; 32],
    /// The epoch's wraps; exactly where `step` is 0.
    pub keys: Option<HeaderKeys>,
}

/// The `keys` of the first header of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderKeys {
    /// The segment whose previous link the wraps are bound to.
    pub minted: u64,
    /// One for each entry of `keys.wrap` in the genesis.
    pub wraps: Vec<Wrap>,
}

impl Header {
    /// Returns the bytes.
    ///
    /// # Errors
    /// When the keys are too large for a header.
    pub fn encode(&self) -> Result<Vec<u8>, SegmentError> {
        let keys = match &self.keys {
            Some(keys) => serde_json::to_vec(keys).map_err(|_| SegmentError::Header("keys"))?,
            None => Vec::new(),
        };
        let header_len = FIXED_LEN + keys.len();
        if header_len > HEADER_MAX {
            return Err(SegmentError::Header("header_len"));
        }
        let mut bytes = Vec::with_capacity(header_len);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&SUITE.to_be_bytes());
        bytes.extend_from_slice(&u32_of(header_len)?.to_be_bytes());
        bytes.extend_from_slice(self.session.as_bytes());
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        bytes.extend_from_slice(&self.first_frame.to_be_bytes());
        bytes.extend_from_slice(self.previous.as_bytes());
        bytes.extend_from_slice(&self.wall_us.to_be_bytes());
        bytes.extend_from_slice(&self.boot_us.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.step.to_be_bytes());
        bytes.extend_from_slice(&self.commitment);
        bytes.extend_from_slice(&u32_of(keys.len())?.to_be_bytes());
        bytes.extend_from_slice(&keys);
        Ok(bytes)
    }

    /// Reads the header at the start of a segment; returns it with its bytes.
    ///
    /// # Errors
    /// When it is not one of this version, or not whole.
    pub fn decode(segment: &[u8]) -> Result<(Self, &[u8]), SegmentError> {
        let mut fields = Fields(segment);
        if &fields.take::<8>("magic")? != MAGIC {
            return Err(SegmentError::Header("magic"));
        }
        if u16::from_be_bytes(fields.take("version")?) != VERSION {
            return Err(SegmentError::Header("version"));
        }
        if u16::from_be_bytes(fields.take("suite")?) != SUITE {
            return Err(SegmentError::Header("suite"));
        }
        let header_len = u32::from_be_bytes(fields.take("header_len")?) as usize;
        let mut header = Self {
            session: SessionId::from_bytes(fields.take("session")?),
            segment: u64::from_be_bytes(fields.take("segment")?),
            first_frame: u64::from_be_bytes(fields.take("first_frame")?),
            previous: Link::from(fields.take::<32>("previous_link")?),
            wall_us: u64::from_be_bytes(fields.take("wall_us")?),
            boot_us: u64::from_be_bytes(fields.take("boot_us")?),
            epoch: u32::from_be_bytes(fields.take("epoch")?),
            step: u32::from_be_bytes(fields.take("step")?),
            commitment: fields.take("commitment")?,
            keys: None,
        };
        let keys_len = u32::from_be_bytes(fields.take("keys_len")?) as usize;
        if header_len > HEADER_MAX || FIXED_LEN.checked_add(keys_len) != Some(header_len) {
            return Err(SegmentError::Header("header_len"));
        }
        if (keys_len == 0) != (header.step > 0) {
            return Err(SegmentError::Header("keys_len"));
        }
        let keys = fields.0.get(..keys_len).ok_or(SegmentError::Header("keys"))?;
        if keys_len > 0 {
            header.keys = Some(read_keys(keys)?);
        }
        Ok((header, segment.get(..header_len).ok_or(SegmentError::Header("header_len"))?))
    }
}

fn read_keys(bytes: &[u8]) -> Result<HeaderKeys, SegmentError> {
    let keys: HeaderKeys = once::line(bytes).ok_or(SegmentError::Header("keys"))?;
    let canonical = |wrap: &Wrap| base64::decode(&wrap.wrapped).is_some_and(|b| !b.is_empty());
    if keys.wraps.iter().all(canonical) { Ok(keys) } else { Err(SegmentError::Header("wrapped")) }
}

/// Appends a frame record to `to`, whose last bytes from `from` on are the sealed frame: the caller leaves
/// [`RECORD_HEAD`] bytes free before them.
///
/// # Errors
/// When the frame is over its limit.
pub fn frame_record(record: &mut [u8], link: Link) -> Result<(), SegmentError> {
    let sealed_len = u32_of(record.len().saturating_sub(RECORD_HEAD))?;
    let head = sealed_len.to_be_bytes().into_iter().chain(link.check());
    for (to, from) in record.iter_mut().zip(head) {
        *to = from;
    }
    Ok(())
}

/// Returns the end marker.
pub fn end_marker(frames: u32, link: Link) -> [u8; END_LEN] {
    let mut marker = [0; END_LEN];
    let bytes = [0; 4].into_iter().chain(frames.to_be_bytes()).chain(*link.as_bytes());
    for (to, from) in marker.iter_mut().zip(bytes) {
        *to = from;
    }
    marker
}

/// One step through the records of a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A frame whose check fits the chain.
    Frame {
        /// Its number in the session.
        frame: u64,
        /// The link before it.
        previous: Link,
        /// The sealed bytes.
        sealed: &'a [u8],
    },
    /// The end marker, right and last.
    End,
    /// The bytes end without an end marker; what is left of a record is torn.
    Cut {
        /// Bytes of the torn record.
        torn: u64,
    },
}

/// Walks the records of one segment and computes their links. It holds its place, not the bytes: every step is
/// given the whole segment.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    at: usize,
    link: Link,
    first_frame: u64,
    frame: u64,
}

impl Walk {
    /// Begins after the header, whose bytes are `head`.
    pub fn new(header: &Header, head: &[u8]) -> Self {
        let link = header.previous.header(header.segment, head);
        Self { at: head.len(), link, first_frame: header.first_frame, frame: header.first_frame }
    }

    /// Returns the link after the last record that was given out.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Returns the number of the next frame: how many the session has so far.
    pub fn frames(&self) -> u64 {
        self.frame
    }

    /// Returns how many bytes of the segment are its header and the frames that were given out.
    pub fn whole_len(&self) -> usize {
        self.at
    }

    /// Returns the next record.
    ///
    /// # Errors
    /// When its check, its length or the end marker is wrong.
    pub fn step<'a>(&mut self, segment: &'a [u8]) -> Result<Record<'a>, SegmentError> {
        let torn = Record::Cut { torn: segment.len().saturating_sub(self.at) as u64 };
        let records = segment.get(self.at..).unwrap_or_default();
        let Some((len, rest)) = records.split_first_chunk::<4>() else { return Ok(torn) };
        let len = u32::from_be_bytes(*len) as usize;
        if len == 0 {
            return Ok(if self.end(rest)? { Record::End } else { torn });
        }
        if !(SEALED_MIN..=SEALED_MAX).contains(&len) {
            return Err(SegmentError::Length);
        }
        let Some((check, rest)) = rest.split_first_chunk::<8>() else { return Ok(torn) };
        let Some(sealed) = rest.get(..len) else { return Ok(torn) };
        let previous = self.link;
        let frame = self.frame;
        let link = previous.frame(frame, sealed);
        if link.check() != *check {
            return Err(SegmentError::Check);
        }
        (self.link, self.frame, self.at) = (link, frame + 1, self.at + RECORD_HEAD + len);
        Ok(Record::Frame { frame, previous, sealed })
    }

    /// Returns whether `rest` is the end marker behind its zero length, or only the beginning of it.
    fn end(&self, rest: &[u8]) -> Result<bool, SegmentError> {
        let count = u32_of(usize::try_from(self.frame - self.first_frame).unwrap_or(usize::MAX))?;
        let expected = end_marker(count, self.link);
        match expected.get(4..) {
            Some(marker) if marker == rest => Ok(true),
            // Whatever its bytes: a write that was cut leaves blocks of zeros as well as none.
            Some(marker) if rest.len() < marker.len() => Ok(false),
            _ => Err(SegmentError::End),
        }
    }
}

/// What is wrong in a segment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SegmentError {
    /// A header field.
    #[error("header: wrong {0}")]
    Header(&'static str),
    /// A frame's length is outside its limits.
    #[error("a frame's length is outside its limits")]
    Length,
    /// The frame's check is not that of its link.
    #[error("this frame, or the chain before it, was changed")]
    Check,
    /// The end marker.
    #[error("the end marker is wrong, or something follows it")]
    End,
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], SegmentError> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(SegmentError::Header(field))?;
        self.0 = rest;
        Ok(*bytes)
    }
}

fn u32_of(len: usize) -> Result<u32, SegmentError> {
    u32::try_from(len).map_err(|_| SegmentError::Length)
}

const MAGIC: &[u8; 8] = b"BGTAPE\r\n";
const VERSION: u16 = 1;
const SUITE: u16 = 1;
const FIXED_LEN: usize = 140;
const HEADER_MAX: usize = 65_536;
/// Bytes before a sealed frame: its length and its check.
pub const RECORD_HEAD: usize = 12;
/// Bytes of an end marker.
pub const END_LEN: usize = 40;
/// The most bytes of a segment.
pub const SEGMENT_MAX: u64 = 4_194_304;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            session: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            segment: 1,
            first_frame: 4,
            previous: Link::genesis(b"g"),
            wall_us: 1,
            boot_us: 2,
            epoch: 0,
            step: 1,
            commitment: [5; 32],
            keys: None,
        }
    }

    fn segment() -> Vec<u8> {
        let mut bytes = header().encode().unwrap();
        let mut link = header().previous.header(1, &bytes);
        for frame in 4..6 {
            let mut record = vec![0; RECORD_HEAD];
            record.extend([frame as u8; 20]);
            link = link.frame(frame, &record[RECORD_HEAD..]);
            frame_record(&mut record, link).unwrap();
            bytes.extend(record);
        }
        bytes.extend(end_marker(2, link));
        bytes
    }

    fn walk(bytes: &[u8]) -> Result<Option<u64>, SegmentError> {
        let (header, head) = Header::decode(bytes)?;
        let mut walk = Walk::new(&header, head);
        loop {
            match walk.step(bytes)? {
                Record::Frame { .. } => {}
                Record::End => return Ok(None),
                Record::Cut { torn } => return Ok(Some(torn)),
            }
        }
    }

    #[test]
    fn a_segment_reads_back() {
        assert_eq!(Header::decode(&segment()).unwrap().0, header());
        assert_eq!(walk(&segment()), Ok(None));
    }

    #[test]
    fn every_cut_is_a_cut_and_every_longer_one_an_error() {
        let whole = segment();
        let head = header().encode().unwrap().len();
        for len in head..whole.len() {
            assert!(matches!(walk(&whole[..len]), Ok(Some(_))), "{len}");
        }
        assert_eq!(walk(&[&whole[..], b"x"].concat()), Err(SegmentError::End));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_walk_panic(at in 0usize..300, byte: u8, bytes: Vec<u8>) {
            let mut changed = segment();
            let at = at % changed.len();
            changed[at] = byte;
            prop_assert!(walk(&changed).is_err() || walk(&changed).is_ok());
            prop_assert!(walk(&bytes).is_err());
        }
    }
}
