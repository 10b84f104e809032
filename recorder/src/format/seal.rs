//! Frames: compressed in the segment's zstd stream, then sealed with AES-256-GCM (FORMAT.md 7).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use crate::format::chain::Link;
use crate::format::epoch_key::Secret;
use crate::format::session::SessionId;

/// A frame's number in its session. Its only verb is [`FrameNumber::next`], so no nonce comes twice.
#[derive(Debug, PartialEq, Eq)]
struct FrameNumber(u64);

impl FrameNumber {
    /// Returns this number for use, and moves on.
    fn next(&mut self) -> u64 {
        let number = self.0;
        self.0 += 1;
        number
    }
}

/// The segment whose frames are sealed or opened, and the number of the next one. The layer owns the number:
/// no caller can pass one in twice.
#[derive(Debug)]
struct Sequence {
    session: SessionId,
    segment: u64,
    frame: FrameNumber,
}

impl Sequence {
    /// Returns nonce and associated data of the next frame, which follows the link `previous`.
    fn next(&mut self, previous: Link) -> (Nonce, [u8; AAD_LEN]) {
        let frame = self.frame.next().to_be_bytes();
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce, &[&[0; 4], &frame]);
        let mut aad = [0; AAD_LEN];
        let segment = self.segment.to_be_bytes();
        fill(&mut aad, &[self.session.as_bytes(), &segment, &frame, previous.as_bytes()]);
        (Nonce::assume_unique_for_key(nonce), aad)
    }
}

fn fill(to: &mut [u8], parts: &[&[u8]]) {
    for (to, from) in to.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
}

/// Seals the frames of one segment after another.
pub struct Sealer {
    zstd: Encoder<'static>,
    key: LessSafeKey,
    sequence: Sequence,
    /// What the compressor writes into: made once, for a keystroke needs little of it.
    scratch: Vec<u8>,
}

impl Sealer {
    /// Makes a sealer for a segment with this key, whose first frame has the number `first_frame`.
    ///
    /// # Errors
    /// When memory or the library refuses.
    pub fn new(
        key: &Secret,
        session: SessionId,
        segment: u64,
        first_frame: u64,
    ) -> Result<Self, SealError> {
        let mut zstd = Encoder::new(LEVEL).map_err(|_| SealError::Refused)?;
        for parameter in [CParameter::WindowLog(WINDOW_LOG), CParameter::HashLog(HASH_LOG)] {
            zstd.set_parameter(parameter).map_err(|_| SealError::Refused)?;
        }
        let sequence = Sequence { session, segment, frame: FrameNumber(first_frame) };
        Ok(Self { zstd, key: aead_key(key)?, sequence, scratch: vec![0; OUT_STEP] })
    }

    /// Makes the sealer of the next segment out of this one. The stream begins anew; only the compressor's memory,
    /// most of a megabyte, is not asked for again.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn next_segment(mut self, key: &Secret, first_frame: u64) -> Result<Self, SealError> {
        self.zstd.reinit().map_err(|_| SealError::Refused)?;
        let Sequence { session, segment, .. } = self.sequence;
        let sequence = Sequence { session, segment: segment + 1, frame: FrameNumber(first_frame) };
        Ok(Self { key: aead_key(key)?, sequence, ..self })
    }

    /// Appends `plain`, compressed and sealed after the link `previous`, to `to`. Whatever becomes of the bytes,
    /// the frame's number is used up: after a failure the segment takes no more frames.
    ///
    /// # Errors
    /// When `plain` is over the limit, or the library refuses.
    pub fn seal(
        &mut self,
        previous: Link,
        plain: &[u8],
        to: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let (nonce, aad) = self.sequence.next(previous);
        if plain.is_empty() {
            return Err(SealError::Empty);
        }
        if plain.len() > PLAIN_MAX {
            return Err(SealError::TooLarge);
        }
        let from = to.len();
        self.compress(plain, to)?;
        let sealed = to.get_mut(from..).ok_or(SealError::Refused)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), sealed)
            .map_err(|_| SealError::Refused)?;
        to.extend_from_slice(tag.as_ref());
        if to.len() - from > SEALED_MAX { Err(SealError::TooLarge) } else { Ok(()) }
    }

    fn compress(&mut self, plain: &[u8], to: &mut Vec<u8>) -> Result<(), SealError> {
        let mut input = InBuffer::around(plain);
        loop {
            let fed = input.pos() >= plain.len();
            let mut output = OutBuffer::around(self.scratch.as_mut_slice());
            let left = if fed {
                self.zstd.flush(&mut output)
            } else {
                self.zstd.run(&mut input, &mut output)
            };
            to.extend_from_slice(output.as_slice());
            if left.map_err(|_| SealError::Refused)? == 0 && fed {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// Opens the frames of one segment, in order.
pub struct Opener {
    zstd: Decoder<'static>,
    key: LessSafeKey,
    sequence: Sequence,
}

impl Opener {
    /// Makes an opener for the segment with this key, whose first frame has the number `first_frame`.
    ///
    /// # Errors
    /// When memory or the library refuses.
    pub fn new(
        key: &Secret,
        session: SessionId,
        segment: u64,
        first_frame: u64,
    ) -> Result<Self, SealError> {
        let mut zstd = Decoder::new().map_err(|_| SealError::Refused)?;
        zstd.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(|_| SealError::Refused)?;
        let sequence = Sequence { session, segment, frame: FrameNumber(first_frame) };
        Ok(Self { zstd, key: aead_key(key)?, sequence })
    }

    /// Returns the plaintext of the next frame, which follows the link `previous`.
    ///
    /// # Errors
    /// When the seal does not fit, or what it held is not a flushed zstd frame within the limit.
    pub fn open(&mut self, previous: Link, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, aad) = self.sequence.next(previous);
        let mut bytes = sealed.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(aad), &mut bytes)
            .map_err(|_| SealError::DoesNotOpen)?;
        let mut plain = Vec::new();
        let mut input = InBuffer::around(opened);
        loop {
            let at = plain.len();
            plain.resize(at + OUT_STEP, 0);
            let mut output = OutBuffer::around(plain.get_mut(at..).ok_or(SealError::Refused)?);
            self.zstd.run(&mut input, &mut output).map_err(|_| SealError::NotCompressed)?;
            let written = output.pos();
            plain.truncate(at + written);
            if plain.len() > PLAIN_MAX {
                return Err(SealError::TooLarge);
            }
            if input.pos() >= opened.len() && written < OUT_STEP {
                return Ok(plain);
            }
        }
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener(..)")
    }
}

/// Why a frame cannot be sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// Over a limit of FORMAT.md 3.
    #[error("a frame over its limit")]
    TooLarge,
    /// Nothing to seal: such a frame would be shorter than FORMAT.md 3 allows.
    #[error("a frame without content")]
    Empty,
    /// The tag is wrong: other bytes, another place, or another key.
    #[error("does not open")]
    DoesNotOpen,
    /// The tag is right, and the content is not a flushed zstd frame.
    #[error("opens, but is not compressed as FORMAT.md says")]
    NotCompressed,
    /// The library refused.
    #[error("cannot seal")]
    Refused,
}

fn aead_key(key: &Secret) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key.expose())
        .map(LessSafeKey::new)
        .map_err(|_| SealError::Refused)
}

/// The most bytes of a sealed frame, tag included.
pub const SEALED_MAX: usize = 1_048_576;
/// The fewest: a tag and one byte.
pub const SEALED_MIN: usize = 17;
/// The most bytes of a frame's plaintext.
pub const PLAIN_MAX: usize = 1_048_576;

// Level 1: the tape keeps up with the kernel's tty on the thread that relays (docs/BENCHMARKS.md).
const LEVEL: i32 = 1;
const WINDOW_LOG: u32 = 17;
/// A table of 32 KiB stays in the innermost cache.
const HASH_LOG: u32 = 13;
const AAD_LEN: usize = 64;
const OUT_STEP: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealer(key: &Secret, segment: u64, first_frame: u64) -> Sealer {
        Sealer::new(key, session(), segment, first_frame).unwrap()
    }

    fn opener(key: &Secret, segment: u64, first_frame: u64) -> Opener {
        Opener::new(key, session(), segment, first_frame).unwrap()
    }

    fn session() -> SessionId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
    }

    #[test]
    fn a_frame_opens_only_at_its_place() {
        let key = Secret::new([1; 32]);
        let link = Link::genesis(b"x");
        let mut sealed = Vec::new();
        sealer(&key, 3, 5).seal(link, b"hello", &mut sealed).unwrap();
        assert_eq!(opener(&key, 3, 5).open(link, &sealed).unwrap(), b"hello");
        assert_eq!(opener(&key, 3, 6).open(link, &sealed), Err(SealError::DoesNotOpen));
        assert_eq!(opener(&key, 4, 5).open(link, &sealed), Err(SealError::DoesNotOpen));
        assert_eq!(
            opener(&key, 3, 5).open(Link::genesis(b"y"), &sealed),
            Err(SealError::DoesNotOpen)
        );
    }

    #[test]
    fn a_frame_over_the_limit_is_refused() {
        let key = Secret::new([1; 32]);
        let link = Link::genesis(b"x");
        let mut sealed = Vec::new();
        assert_eq!(
            sealer(&key, 0, 0).seal(link, &vec![0; PLAIN_MAX + 1], &mut sealed),
            Err(SealError::TooLarge)
        );
        assert!(sealer(&key, 0, 0).seal(link, &vec![0; PLAIN_MAX], &mut sealed).is_ok());
    }

    #[test]
    fn a_frame_without_content_is_refused() {
        let key = Secret::new([1; 32]);
        let link = Link::genesis(b"x");
        let mut sealed = Vec::new();
        assert_eq!(sealer(&key, 0, 0).seal(link, b"", &mut sealed), Err(SealError::Empty));
    }

    #[test]
    fn the_next_segment_opens_without_this_one() {
        let first = Secret::new([1; 32]);
        let second = Secret::new([2; 32]);
        let link = Link::genesis(b"x");
        let mut one = Vec::new();
        let mut two = Vec::new();
        let mut last = sealer(&first, 3, 5);
        last.seal(link, &b"hello ".repeat(1_000), &mut one).unwrap();
        last.next_segment(&second, 6)
            .unwrap()
            .seal(link, &b"hello ".repeat(1_000), &mut two)
            .unwrap();
        assert_eq!(opener(&second, 4, 6).open(link, &two).unwrap(), b"hello ".repeat(1_000));
    }

    proptest! {
        #[test]
        fn any_frames_come_back(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..70_000), 1..4)) {
            let key = Secret::new([9; 32]);
            let link = Link::genesis(b"x");
            let mut sealer = sealer(&key, 0, 0);
            let mut opener = opener(&key, 0, 0);
            for frame in &frames {
                let mut sealed = Vec::new();
                sealer.seal(link, frame, &mut sealed).unwrap();
                prop_assert_eq!(&opener.open(link, &sealed).unwrap(), frame);
            }
        }
    }
}
