//! Verification of segments (FORMAT.md 6 and 7).

use super::end::{After, SignedEnd};
use super::{Verifier, fetch};
use crate::format::chain::Digest;
use crate::format::genesis::WRAP_ALG;
use crate::format::segment::{Header, Record, SegmentError, Walk};
use crate::format::session::ObjectName;
use crate::read::verdict::{Stretch, Weight};
use crate::store::tape::Tape;

impl Verifier {
    /// Segment n and its checkpoint: only the last segment may lack one, and no checkpoint its segment. Behind the
    /// signed end nothing is missed.
    pub(super) fn pair(&mut self, tape: &Tape<'_>, n: u64, end: Option<SignedEnd>) {
        let behind = end.is_some_and(|end| n >= end.segments);
        if n != self.chain.expected {
            if !behind {
                let hole = format!("missing, up to segment {}", n - 1);
                self.broken(&ObjectName::Segment(self.chain.expected).to_string(), None, &hole);
            }
            self.chain.forget();
            self.chain.next = None;
        }
        self.chain.expected = n + 1;
        let segment = ObjectName::Segment(n);
        let missed = !behind || tape.objects.contains_key(&segment);
        match missed.then(|| fetch(tape, segment, self)).flatten() {
            Some(bytes) => self.segment(n, &bytes),
            None => {
                self.chain.listed.push((segment, None));
                self.chain.forget();
            }
        }
        self.chain.segments = n + 1;
        let last = match end {
            Some(end) if !behind => n + 1 >= end.segments,
            _ => n + 1 >= tape.segments(),
        };
        let checkpoint = ObjectName::Checkpoint(n);
        if !tape.objects.contains_key(&checkpoint) {
            if !last && !behind {
                self.broken(&checkpoint.to_string(), None, "missing");
                self.chain.next = None;
            }
        } else if last && !behind && end.is_some_and(|end| end.after == After::Segment) {
            let what = "fork: the recovery was signed when there was no such checkpoint";
            self.fault(&checkpoint.to_string(), None, what);
        } else {
            self.covered(tape, n);
        }
    }

    fn covered(&mut self, tape: &Tape<'_>, n: u64) {
        let checkpoint = ObjectName::Checkpoint(n);
        self.chain.checkpoints = n + 1;
        match fetch(tape, checkpoint, self) {
            Some(bytes) => self.checkpoint(n, &bytes),
            None => {
                self.chain.listed = vec![(checkpoint, None)];
                self.chain.next = None;
            }
        }
    }

    fn segment(&mut self, n: u64, bytes: &[u8]) {
        let at = ObjectName::Segment(n).to_string();
        if let Some((cut, _)) = self.chain.cut {
            self.stretches.cut(cut);
            let cut = ObjectName::Segment(cut).to_string();
            self.broken(&cut, None, "cut: it has no end marker, and a segment follows it");
        }
        self.chain.listed.push((ObjectName::Segment(n), Some(Digest::of(bytes))));
        let (header, head) = match Header::decode(bytes) {
            Ok(decoded) => decoded,
            Err(e) => {
                self.broken(&at, None, &e.to_string());
                return self.chain.forget();
            }
        };
        self.chain.anchored &= self.header(n, &header, &at);
        self.chain.frames = header.first_frame;
        let mut walk = Walk::new(&header, head);
        let broken = loop {
            match walk.step(bytes) {
                Ok(Record::Frame { .. }) => self.chain.frames = walk.frames(),
                Ok(Record::End) => break None,
                Ok(Record::Cut { torn }) => {
                    self.chain.cut = Some((n, torn));
                    break None;
                }
                Err(e) => break Some(e),
            }
        };
        if self.chain.anchored {
            let frames = walk.frames() - header.first_frame;
            let first_frame = header.first_frame;
            let stretch = Stretch { segment: n, first_frame, frames, signed: false };
            self.stretches.add(stretch, broken.is_none());
        }
        if let Some(e) = broken {
            let frame =
                matches!(e, SegmentError::Check | SegmentError::Length).then(|| walk.frames());
            self.broken(&at, frame, &e.to_string());
            return self.chain.forget();
        }
        self.chain.link = Some(walk.link());
        self.chain.epoch = Some((header.epoch, header.step));
    }

    /// Returns whether the header follows what came before it.
    fn header(&mut self, n: u64, header: &Header, at: &str) -> bool {
        let ours = self.session().is_none_or(|id| id == header.session);
        self.require(ours, at, "header: another session's segment");
        self.require(header.segment == n, at, "header: another segment's number");
        let mut linked = true;
        if let Some(link) = self.chain.link {
            let counted = header.first_frame == self.chain.frames;
            linked = header.previous == link && counted;
            self.require(header.previous == link, at, "header: does not follow the segment before");
            self.require(counted, at, "header: wrong first_frame");
        }
        let follows = match self.chain.epoch {
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
        ours && header.segment == n && linked && self.chain.link.is_some()
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
}
