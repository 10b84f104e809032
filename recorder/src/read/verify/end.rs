//! Verification of a tape's end: the seal, or the recovery, or both (FORMAT.md 9 and 10).

use super::chain::lists;
use super::notes::{Signer, Worth};
use super::{Verifier, fetch};
use crate::format::closing::{Recovery, Seal};
use crate::format::note::{Note, NoteKind};
use crate::format::session::ObjectName;
use crate::format::stamp::Stamp;
use crate::read::verdict::Weight;
use crate::store::tape::Tape;

/// Where a tape ends by the word of its signed end.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedEnd {
    /// How many segments it has.
    pub segments: u64,
    /// What it ends with.
    pub after: After,
}

/// The last object before a tape's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// A segment that has a checkpoint, or none at all.
    Checkpoint,
    /// A segment that has none.
    Segment,
}

impl Verifier {
    /// Returns where the tape ends by the word of a note that a signing key signed. What stands behind it was not
    /// written by its recorder, and must not hide what was.
    pub(super) fn claimed_end(&self, tape: &Tape<'_>) -> Option<SignedEnd> {
        let seal = self.signed_end(tape, ObjectName::Seal, |note| {
            let seal: Seal = note.read().ok()?;
            Some(SignedEnd { segments: seal.segments, after: After::Checkpoint })
        });
        seal.or_else(|| {
            self.signed_end(tape, ObjectName::Recovery, |note| {
                let recovery: Recovery = note.read().ok()?;
                let bare = matches!(recovery.objects.last(), Some((ObjectName::Segment(_), _)));
                let after = if bare { After::Segment } else { After::Checkpoint };
                Some(SignedEnd { segments: recovery.segments, after })
            })
        })
    }

    fn signed_end(
        &self,
        tape: &Tape<'_>,
        name: ObjectName,
        end: impl Fn(&Note<'_>) -> Option<SignedEnd>,
    ) -> Option<SignedEnd> {
        if !self.vouched || !tape.objects.contains_key(&name) {
            return None;
        }
        let bytes = tape.get(name).ok()?;
        let note = Note::parse(NoteKind::of(name)?, &bytes).ok()?;
        let line = note.signatures.last()?;
        let by = |signer| self.standing(signer, note.text, line) == Worth::Valid;
        let signed = by(Signer::Signing) || name == ObjectName::Seal && by(Signer::Standby);
        if signed { end(&note) } else { None }
    }

    /// Somebody else wrote under the names that come next, or the end was written while the session went on.
    pub(super) fn behind_the_end(&mut self, tape: &Tape<'_>, n: u64) {
        if self.ended.is_none() {
            self.ended = Some(self.chain.clone());
            // A tape may end in a cut segment. What comes behind its end is no part of it, and cuts nothing.
            self.chain.cut = None;
        }
        for name in [ObjectName::Segment(n), ObjectName::Checkpoint(n)] {
            if tape.objects.contains_key(&name) {
                let what = "fork: it stands behind the signed end of the tape";
                self.fault(&name.to_string(), None, what);
            }
        }
    }

    pub(super) fn endings(&mut self, tape: &Tape<'_>) {
        if let Some(ended) = self.ended.take() {
            self.chain = ended;
        }
        let mut well = false;
        if tape.objects.contains_key(&ObjectName::Seal)
            && let Some(bytes) = fetch(tape, ObjectName::Seal, self)
        {
            self.sealed = true;
            let before = self.worse();
            self.sealing(&bytes);
            well = self.worse() == before;
        }
        if tape.objects.contains_key(&ObjectName::Recovery)
            && let Some(bytes) = fetch(tape, ObjectName::Recovery, self)
        {
            self.recovering(&bytes, well);
        }
    }

    /// How many findings say that something does not hold.
    fn worse(&self) -> usize {
        self.findings.iter().filter(|finding| finding.weight >= Weight::Fault).count()
    }

    fn sealing(&mut self, bytes: &[u8]) {
        let Some(note) = self.parse(ObjectName::Seal, bytes) else { return };
        let signer = self.sealer(&note);
        let signed = self.signatures("seal", &note, &[Signer::Session, signer]);
        if let Some(seal) = self.read::<Seal>(ObjectName::Seal, &note) {
            let holds = self.seal("seal", &seal);
            let line = note.signatures.last();
            let by_key =
                line.is_some_and(|line| self.standing(signer, note.text, line) == Worth::Valid);
            if signed != Worth::Wrong && by_key && holds && self.chain.anchored {
                self.stretches.sign_all();
                self.heard = Some(("seal".to_owned(), seal.sealed));
            }
        }
    }

    /// A seal that links over all frames, and is signed, outranks a recovery: that was written by a host which took
    /// the session for dead.
    fn recovering(&mut self, bytes: &[u8], sealed_well: bool) {
        let Some(note) = self.parse(ObjectName::Recovery, bytes) else { return };
        let signed = self.signatures("recovery", &note, &[Signer::Signing]);
        let Some(recovery) = self.read::<Recovery>(ObjectName::Recovery, &note) else { return };
        if self.sealed && sealed_well {
            let ours = self.session().is_none_or(|id| id == recovery.session);
            self.demand(ours, "recovery", "another session's recovery");
            let what = format!(
                "outranked: somebody recovered this session at {} while it went on; its seal holds",
                recovery.recovered
            );
            return self.found(Weight::Note, "recovery", None, &what);
        }
        if self.sealed {
            self.fault(
                "seal",
                None,
                "fork: it is not the recorder's, and a recovery stands beside it",
            );
        }
        self.sealed = false;
        self.recovered = true;
        self.recovery("recovery", &recovery, signed);
    }

    /// Returns whether the seal is over what is there.
    fn seal(&mut self, at: &str, seal: &Seal) -> bool {
        let ours = self.ours(seal.session, &seal.boot_id);
        self.demand(ours, at, "another session's seal");
        let whole = seal.segments > 0 && self.chain.checkpoints == self.chain.segments;
        self.require(whole, at, "seals a segment without checkpoint, or no segment");
        let agrees = seal.segments == self.chain.segments
            && self
                .chain
                .link
                .is_none_or(|link| (link, self.chain.frames) == (seal.link, seal.frames));
        self.require(
            agrees,
            at,
            "does not agree with the segments: something is missing or was added",
        );
        let listed = lists(&self.chain.listed, &seal.objects);
        self.require(listed, at, "lists another checkpoint, or another digest");
        self.moment(seal.boot_us, seal.sealed.0, at);
        match &seal.read_back {
            Some(read_back) => {
                let all = seal.segments.checked_mul(2).and_then(|n| n.checked_add(1))
                    == Some(read_back.objects);
                self.demand(all, at, "says that other objects were read back");
            }
            None => self.found(
                Weight::Note,
                at,
                None,
                "the store could not be read back when the session ended",
            ),
        }
        for gap in &seal.gaps {
            let what = format!("declared loss of {} bytes: {}", gap.bytes, gap.why);
            self.found(Weight::Note, at, Some(gap.frame), &what);
        }
        ours && whole && agrees && listed
    }

    fn recovery(&mut self, at: &str, recovery: &Recovery, signed: Worth) {
        let session = self.session().is_none_or(|id| id == recovery.session);
        self.demand(session, at, "another session's recovery");
        let agrees = recovery.segments == self.chain.segments
            && self
                .chain
                .link
                .is_none_or(|link| (link, self.chain.frames) == (recovery.link, recovery.frames))
            && self.chain.cut.is_none_or(|(_, torn)| torn == 0)
            && recovery.stored_segments <= recovery.segments;
        self.require(
            agrees,
            at,
            "does not agree with the segments: something is missing or was added",
        );
        let listed = lists(&self.chain.listed, &recovery.objects);
        self.require(listed, at, "lists other objects, or other digests");
        if signed == Worth::Valid && session && agrees && listed && self.chain.anchored {
            self.stretches.sign_all();
            self.heard = Some((at.to_owned(), Stamp(recovery.last_write.0)));
        }
        let what = format!(
            "recovered at {}: {}; {} frames are whole, {} torn bytes were cut off; last local write at {}",
            recovery.recovered,
            recovery.reason,
            recovery.frames,
            recovery.torn_bytes,
            recovery.last_write
        );
        self.found(Weight::Note, at, recovery.frames.checked_sub(1), &what);
    }
}
