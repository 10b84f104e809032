//! The chain so far, and which frames it reaches.

use crate::format::chain::{Digest, Link};
use crate::format::session::ObjectName;
use crate::format::sign::SessionPublic;
use crate::read::verdict::Stretch;

/// An object, and its digest where its bytes could be read.
pub type Seen = (ObjectName, Option<Digest>);

/// How far the chain was followed.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The link so far; unknown after a break, until a checkpoint or a header names one.
    pub link: Option<Link>,
    /// Whether that link comes from the genesis or from a signed checkpoint, not from a header's word.
    pub anchored: bool,
    /// How many frames so far, as far as known.
    pub frames: u64,
    pub epoch: Option<(u32, u32)>,
    /// The session key of the next note, while known.
    pub next: Option<SessionPublic>,
    /// The newest note, and every segment after it.
    pub listed: Vec<Seen>,
    /// The number that the next segment must have.
    pub expected: u64,
    pub segments: u64,
    pub checkpoints: u64,
    /// A segment without end marker, and the bytes of its torn record.
    pub cut: Option<(u64, u64)>,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            link: None,
            anchored: true,
            frames: 0,
            epoch: None,
            next: None,
            listed: vec![(ObjectName::Genesis, None)],
            expected: 0,
            segments: 0,
            checkpoints: 0,
            cut: None,
        }
    }
}

impl Chain {
    /// After something that could not be followed, a signed checkpoint, or else the next header's claims, are taken.
    pub fn forget(&mut self) {
        self.link = None;
        self.epoch = None;
        self.anchored = false;
    }

    /// Goes on where a signed checkpoint says that its segment ended.
    pub fn resume(&mut self, link: Link, frames: u64) {
        self.link = Some(link);
        self.frames = frames;
        self.anchored = true;
    }
}

/// Returns whether what a note lists is what was seen. What could not be read is not judged.
pub fn lists(seen: &[Seen], objects: &[(ObjectName, Digest)]) -> bool {
    objects.len() == seen.len()
        && objects.iter().zip(seen).all(|((name, digest), (seen, found))| {
            name == seen && found.is_none_or(|found| found == *digest)
        })
}

/// The frames that link on from the genesis or from a signed checkpoint, by segment.
#[derive(Debug, Default)]
pub struct Stretches(Vec<Held>);

#[derive(Debug)]
struct Held {
    stretch: Stretch,
    whole: bool,
}

impl Stretches {
    /// Adds the frames of a segment that linked, all of them or those before the first that did not.
    pub fn add(&mut self, stretch: Stretch, whole: bool) {
        self.0.push(Held { stretch, whole });
    }

    /// Segment `number` goes on where it should not have ended: it is not whole.
    pub fn cut(&mut self, number: u64) {
        for held in self.0.iter_mut().filter(|held| held.stretch.segment == number) {
            held.whole = false;
        }
    }

    /// A signed note covers segment `number`, and what it says of it holds.
    pub fn sign(&mut self, number: u64) {
        for held in self.0.iter_mut().filter(|held| held.stretch.segment == number && held.whole) {
            held.stretch.signed = true;
        }
    }

    /// The signed end of the tape holds: it covers all that links up to it.
    pub fn sign_all(&mut self) {
        for held in self.0.iter_mut().filter(|held| held.whole) {
            held.stretch.signed = true;
        }
    }

    /// A signed note says something else of segment `number`: of its frames nobody knows which are its own.
    pub fn refute(&mut self, number: u64) {
        self.0.retain(|held| held.stretch.segment != number || !held.whole);
    }

    /// Returns how many frames signed notes cover.
    pub fn signed_frames(&self) -> u64 {
        self.0.iter().filter(|held| held.stretch.signed).map(|held| held.stretch.frames).sum()
    }

    /// Returns all of them; where nobody who is trusted vouches for the genesis, as unsigned.
    pub fn good(&self, vouched: bool) -> Vec<Stretch> {
        let good = |held: &Held| Stretch { signed: held.stretch.signed && vouched, ..held.stretch };
        self.0.iter().map(good).collect()
    }
}
