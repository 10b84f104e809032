//! Verification: without any key that opens, every finding and not only the first (FORMAT.md 12).

mod access;
mod notes;

use std::collections::{BTreeMap, BTreeSet};

use crate::format::chain::{Digest, Link};
use crate::format::checkpoint::Listed;
use crate::format::genesis::{Genesis, WRAP_ALG};
use crate::format::segment::{Header, Record, SegmentError, Walk};
use crate::format::session::{ObjectName, SessionId};
use crate::format::sign::{SessionPublic, SigningPublic};
use crate::format::stamp::Stamp;
use crate::read::verdict::{Finding, Report, Verdict, Weight};
use crate::store::StoreError;
use crate::store::tape::Tape;

/// Verifies a tape against the signing keys that the caller trusts, as of `now_us` (wall time).
pub fn verify(tape: &Tape<'_>, trusted: &[SigningPublic], now_us: u64) -> Report {
    let mut verifier = Verifier::new(tape.placed);
    for stranger in &tape.strangers {
        verifier.broken(stranger, None, "not an object of a tape");
    }
    if let Some(bytes) = fetch(tape, ObjectName::Genesis, &mut verifier) {
        verifier.genesis(&bytes, trusted);
    }
    for n in numbers(tape) {
        verifier.pair(tape, n);
    }
    for end in [ObjectName::Seal, ObjectName::Recovery] {
        if tape.objects.contains_key(&end)
            && let Some(bytes) = fetch(tape, end, &mut verifier)
        {
            verifier.ending(end, &bytes);
        }
    }
    verifier.finish(tape, now_us)
}

/// Returns the numbers that any segment or checkpoint has, in order.
fn numbers(tape: &Tape<'_>) -> BTreeSet<u64> {
    let number = |name: &ObjectName| match name {
        ObjectName::Segment(n) | ObjectName::Checkpoint(n) => Some(*n),
        _ => None,
    };
    tape.objects.keys().filter_map(number).collect()
}

fn fetch(tape: &Tape<'_>, name: ObjectName, verifier: &mut Verifier) -> Option<Vec<u8>> {
    let at = name.to_string();
    match tape.get(name) {
        Ok(bytes) => return Some(bytes),
        Err(StoreError::Missing(_)) => verifier.broken(&at, None, "missing"),
        Err(StoreError::TooLarge(_)) => verifier.broken(&at, None, "larger than its kind allows"),
        Err(e) => {
            verifier.found(Weight::Unverifiable, &at, None, &format!("not readable: {}", cause(&e)))
        }
    }
    None
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// What has been established of a tape so far.
#[derive(Debug)]
struct Verifier {
    placed: Option<SessionId>,
    genesis: Option<Genesis>,
    sign: Option<SigningPublic>,
    standby: Option<SigningPublic>,
    /// The link so far; unknown after a break, until a header claims one.
    link: Option<Link>,
    /// How many frames so far, as far as known.
    frames: u64,
    epoch: Option<(u32, u32)>,
    boot_us: u64,
    wall_us: u64,
    opened_us: Option<(u64, u64)>,
    unseen_us: u64,
    /// The session key of the next note, while known.
    next: Option<SessionPublic>,
    /// The newest note, and every segment after it.
    listed: Vec<Listed>,
    /// Texts of checkpoints that no cosignature has named yet.
    texts: BTreeMap<u64, Vec<u8>>,
    /// The number that the next segment must have.
    expected: u64,
    segments: u64,
    checkpoints: u64,
    cut: Option<(u64, u64)>,
    good: Option<(u64, u64)>,
    /// How many frames the last checkpoint covers.
    signed_frames: u64,
    sealed: bool,
    recovered: bool,
    findings: Vec<Finding>,
}

impl Verifier {
    fn new(placed: Option<SessionId>) -> Self {
        Self {
            placed,
            genesis: None,
            sign: None,
            standby: None,
            link: None,
            frames: 0,
            epoch: None,
            boot_us: 0,
            wall_us: 0,
            opened_us: None,
            unseen_us: 0,
            next: None,
            listed: Vec::new(),
            texts: BTreeMap::new(),
            expected: 0,
            segments: 0,
            checkpoints: 0,
            cut: None,
            good: None,
            signed_frames: 0,
            sealed: false,
            recovered: false,
            findings: Vec::new(),
        }
    }

    fn broken(&mut self, object: &str, frame: Option<u64>, what: &str) {
        if self.good.is_none() {
            self.good = Some((frame.unwrap_or(self.frames).min(self.frames), self.segments));
        }
        self.found(Weight::Broken, object, frame, what);
    }

    fn found(&mut self, weight: Weight, object: &str, frame: Option<u64>, what: &str) {
        self.findings.push(Finding {
            object: object.to_owned(),
            frame,
            what: what.to_owned(),
            weight,
        });
    }

    fn require(&mut self, holds: bool, object: &str, what: &str) {
        if !holds {
            self.broken(object, None, what);
        }
    }

    fn session(&self) -> Option<SessionId> {
        self.genesis.as_ref().map(|genesis| genesis.session)
    }

    /// Segment n and its checkpoint: only the last segment may lack one, and no checkpoint its segment.
    fn pair(&mut self, tape: &Tape<'_>, n: u64) {
        if n != self.expected {
            let hole = format!("missing, up to segment {}", n - 1);
            self.broken(&ObjectName::Segment(self.expected).to_string(), None, &hole);
            self.forget();
            self.next = None;
        }
        self.expected = n + 1;
        let segment = ObjectName::Segment(n);
        let checkpoint = ObjectName::Checkpoint(n);
        match fetch(tape, segment, self) {
            Some(bytes) => self.segment(n, &bytes),
            None => self.forget(),
        }
        let last = n + 1 >= tape.segments();
        if tape.objects.contains_key(&checkpoint) {
            if let Some(bytes) = fetch(tape, checkpoint, self) {
                self.checkpoint(n, &bytes);
            }
        } else if !last {
            self.broken(&checkpoint.to_string(), None, "missing");
            self.next = None;
        }
    }

    /// After something that could not be followed, the next header's claims are taken.
    fn forget(&mut self) {
        self.link = None;
        self.epoch = None;
    }

    fn segment(&mut self, n: u64, bytes: &[u8]) {
        let at = ObjectName::Segment(n).to_string();
        if let Some((cut, _)) = self.cut {
            let cut = ObjectName::Segment(cut).to_string();
            self.broken(&cut, None, "cut: it has no end marker, and a segment follows it");
        }
        self.listed.push((ObjectName::Segment(n), Digest::of(bytes)));
        let (header, head) = match Header::decode(bytes) {
            Ok(decoded) => decoded,
            Err(e) => {
                self.broken(&at, None, &e.to_string());
                return self.forget();
            }
        };
        self.header(n, &header, &at);
        let mut walk = Walk::new(&header, head);
        self.frames = header.first_frame;
        loop {
            match walk.step(bytes) {
                Ok(Record::Frame { .. }) => self.frames = walk.frames(),
                Ok(Record::End) => break,
                Ok(Record::Cut { torn }) => {
                    self.cut = Some((n, torn));
                    break;
                }
                Err(e) => {
                    let frame = matches!(e, SegmentError::Check | SegmentError::Length)
                        .then(|| walk.frames());
                    self.broken(&at, frame, &e.to_string());
                    return self.forget();
                }
            }
        }
        self.link = Some(walk.link());
        self.epoch = Some((header.epoch, header.step));
        self.segments = n + 1;
    }

    fn header(&mut self, n: u64, header: &Header, at: &str) {
        let session = self.session();
        self.require(
            session.is_none_or(|id| id == header.session),
            at,
            "header: another session's segment",
        );
        self.require(header.segment == n, at, "header: another segment's number");
        if let Some(link) = self.link {
            self.require(header.previous == link, at, "header: does not follow the segment before");
            self.require(header.first_frame == self.frames, at, "header: wrong first_frame");
        }
        let follows = match self.epoch {
            Some((epoch, step)) if header.step > 0 => {
                epoch == header.epoch && Some(header.step) == step.checked_add(1)
            }
            Some((epoch, _)) => epoch.checked_add(1) == Some(header.epoch),
            None => n > 0 || (header.epoch, header.step) == (0, 0),
        };
        self.require(follows, at, "header: wrong epoch or step");
        self.header_keys(n, header, at);
        if let Some((boot_us, wall_us)) = self.opened_us {
            self.unseen_us = self.unseen_us.max(header.boot_us.saturating_sub(boot_us));
            if header.wall_us < wall_us {
                self.found(Weight::Note, at, None, "the wall clock was set back");
            }
        }
        self.opened_us = Some((header.boot_us, header.wall_us));
        self.moment(header.boot_us, header.wall_us, at);
    }

    fn header_keys(&mut self, n: u64, header: &Header, at: &str) {
        let Some(keys) = &header.keys else { return };
        let Some(genesis) = &self.genesis else { return };
        let named = genesis.keys.wrap.iter().map(|key| (&key.name, &key.alg));
        let wraps: Vec<_> = keys.wraps.iter().map(|wrap| (&wrap.key, &wrap.alg)).collect();
        let escrow = named.clone().filter(|(_, alg)| *alg == WRAP_ALG);
        let all = named.eq(wraps.iter().copied());
        let alone = !wraps.is_empty() && escrow.eq(wraps.iter().copied());
        let fit = keys.minted <= n && (all || alone);
        self.require(fit, at, "header: its wraps are not those that the genesis names");
        if fit && !all {
            let what =
                format!("epoch {}: made without KMS, only an escrow key opens it", header.epoch);
            self.found(Weight::Note, at, None, &what);
        }
    }

    /// Takes note of a moment on the tape: boot time never goes back.
    fn moment(&mut self, boot_us: u64, wall_us: u64, at: &str) {
        self.require(boot_us >= self.boot_us, at, "time goes back");
        self.boot_us = self.boot_us.max(boot_us);
        self.wall_us = self.wall_us.max(wall_us);
    }

    fn finish(mut self, tape: &Tape<'_>, now_us: u64) -> Report {
        if self.sealed && self.recovered {
            self.broken("recovery", None, "a tape has a seal or a recovery, never both");
        }
        if let (Some((cut, _)), true) = (self.cut, self.sealed) {
            self.broken(
                &ObjectName::Segment(cut).to_string(),
                None,
                "cut: it has no end marker, in a sealed tape",
            );
        }
        let heartbeat_us = self
            .genesis
            .as_ref()
            .map_or(10_000_000, |g| g.limits.heartbeat_ms.saturating_mul(1_000));
        let fresh = now_us.saturating_sub(self.wall_us) < heartbeat_us.saturating_mul(3);
        if self.unseen_us > heartbeat_us.saturating_mul(3) {
            let what = format!(
                "nothing was recorded for {} s, longer than three heartbeats",
                self.unseen_us / 1_000_000
            );
            self.found(Weight::Note, "segments", None, &what);
        }
        let worst = self.findings.iter().map(|finding| finding.weight).max();
        let verdict = match worst {
            Some(Weight::Broken) => Verdict::Broken,
            Some(Weight::Unverifiable) => Verdict::Unverifiable,
            _ if self.recovered => Verdict::Recovered,
            _ if self.sealed => Verdict::Intact,
            _ if fresh => Verdict::Live,
            _ => Verdict::Unfinished,
        };
        if verdict == Verdict::Unfinished {
            self.unfinished();
        }
        let (frames, segments) = self.good.unwrap_or((self.frames, self.segments));
        let session = tape.placed.or(self.session());
        Report { session, verdict, frames, segments, findings: self.findings }
    }

    fn unfinished(&mut self) {
        let at = self
            .segments
            .checked_sub(1)
            .map_or("genesis".to_owned(), |n| ObjectName::Segment(n).to_string());
        let opened = self
            .opened_us
            .map(|(_, wall_us)| format!(", in the segment opened at {}", Stamp(wall_us)));
        let torn = self.cut.map_or(0, |(_, torn)| torn);
        let what = format!(
            "no seal: the tape ends after {} frames ({} of them signed for){}, last heard of at {}; {torn} bytes of a torn frame; longest unseen window {} ms",
            self.frames,
            self.signed_frames,
            opened.unwrap_or_default(),
            Stamp(self.wall_us),
            self.unseen_us / 1_000,
        );
        self.found(Weight::Note, &at, self.frames.checked_sub(1), &what);
    }
}
