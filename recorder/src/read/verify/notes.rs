//! Verification of the four notes.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::Verifier;
use crate::format::base64;
use crate::format::chain::{Digest, Link};
use crate::format::checkpoint::{Checkpoint, Cosigned};
use crate::format::closing::{Recovery, Seal};
use crate::format::genesis::{Genesis, SIGN_ALG, SignKey, WrapKey};
use crate::format::note::{Kind, Note, Signature};
use crate::format::session::ObjectName;
use crate::format::sign::SigningPublic;
use crate::read::verdict::Weight;

/// Who must have signed a note, in the order of its lines.
#[derive(Clone, Copy)]
enum Signer {
    Session,
    Signing,
    Standby,
}

impl Verifier {
    pub(super) fn genesis(&mut self, bytes: &[u8], trusted: &[SigningPublic]) {
        self.listed = vec![(ObjectName::Genesis, Digest::of(bytes))];
        self.link = Some(Link::genesis(bytes));
        let Some(note) = self.parse(ObjectName::Genesis, bytes) else { return };
        let Some(genesis) = self.read::<Genesis>(ObjectName::Genesis, &note) else { return };
        self.sign = genesis.keys.sign.public();
        self.standby = genesis.keys.standby.as_ref().and_then(SignKey::public);
        let suits = genesis.suite == 1
            && genesis.keys.sign.alg == SIGN_ALG
            && self.standby.is_some() == genesis.keys.standby.is_some()
            && !genesis.keys.wrap.is_empty()
            && genesis.keys.wrap.iter().all(WrapKey::fits);
        self.require(
            suits,
            "genesis",
            "names a suite or an algorithm that version 1 does not have",
        );
        let names: BTreeSet<_> = genesis.keys.wrap.iter().map(|key| &key.name).collect();
        self.require(
            names.len() == genesis.keys.wrap.len(),
            "genesis",
            "two wrapping keys have one name",
        );
        let placed = self.placed.is_none_or(|id| id == genesis.session);
        self.require(placed, "genesis", "another session's genesis");
        self.next = Some(genesis.keys.session);
        self.moment(genesis.boot_us, genesis.created.0, "genesis");
        self.access(&genesis);
        if genesis.keys.standby.as_ref() == Some(&genesis.keys.sign) {
            let what = "signed by the standby key: begun while the key service was away";
            self.found(Weight::Note, "genesis", None, what);
        }
        self.genesis = Some(genesis);
        self.signatures("genesis", &note, &[Signer::Signing]);
        self.trust(trusted);
    }

    fn trust(&mut self, trusted: &[SigningPublic]) {
        match &self.sign {
            _ if trusted.is_empty() => {
                let what =
                    "no trusted signing key was given: checked against the key that the tape names";
                self.found(Weight::Unverifiable, "genesis", None, what);
            }
            Some(sign) if trusted.contains(sign) => {}
            _ => self.broken("genesis", None, "wrong signer: its signing key is not a trusted one"),
        }
    }

    pub(super) fn checkpoint(&mut self, n: u64, bytes: &[u8]) {
        let name = ObjectName::Checkpoint(n);
        let at = name.to_string();
        let listed = std::mem::replace(&mut self.listed, vec![(name, Digest::of(bytes))]);
        self.checkpoints = n + 1;
        let Some(note) = self.parse(name, bytes) else { return self.next = None };
        self.signatures(&at, &note, &[Signer::Session]);
        let Some(checkpoint) = self.read::<Checkpoint>(name, &note) else {
            return self.next = None;
        };
        let ours = self
            .genesis
            .as_ref()
            .is_none_or(|g| (g.session, &g.boot_id) == (checkpoint.session, &checkpoint.boot_id));
        self.require(ours, &at, "another session's checkpoint");
        self.require(checkpoint.checkpoint == n, &at, "another checkpoint's number");
        if self.cut.is_some_and(|(cut, _)| cut == n) {
            self.broken(&at, None, "its segment was cut");
        }
        if let Some(link) = self.link {
            let agrees = checkpoint.link == link && checkpoint.frames == self.frames;
            self.require(agrees, &at, "does not agree with its segment");
        }
        self.require(listed == checkpoint.objects, &at, "lists other objects, or other digests");
        self.moment(checkpoint.boot_us, checkpoint.wall.0, &at);
        self.next = Some(checkpoint.next);
        self.signed_frames = checkpoint.frames;
        self.texts.insert(n, note.text.to_vec());
        if let Some(cosigned) = &checkpoint.cosigned {
            self.cosigned(n, &at, cosigned);
        }
    }

    fn cosigned(&mut self, n: u64, at: &str, cosigned: &Cosigned) {
        let der = base64::decode(&cosigned.signature);
        let text = self.texts.get(&cosigned.checkpoint).filter(|_| cosigned.checkpoint < n);
        let verifies = match (&self.sign, text, der) {
            (Some(sign), Some(text), Some(der)) => sign.verifies(text, &der),
            _ => false,
        };
        self.require(verifies, at, "wrong signer: the cosignature does not verify");
        self.texts.retain(|number, _| *number > cosigned.checkpoint);
    }

    pub(super) fn ending(&mut self, name: ObjectName, bytes: &[u8]) {
        let at = name.to_string();
        let Some(note) = self.parse(name, bytes) else { return };
        if name == ObjectName::Seal {
            self.sealed = true;
            let signer = self.sealer(&note);
            self.signatures(&at, &note, &[Signer::Session, signer]);
            if let Some(seal) = self.read::<Seal>(name, &note) {
                self.seal(&at, &seal);
            }
        } else {
            self.recovered = true;
            self.signatures(&at, &note, &[Signer::Signing]);
            if let Some(recovery) = self.read::<Recovery>(name, &note) {
                self.recovery(&at, &recovery);
            }
        }
    }

    /// The standby key may seal in the signing key's place.
    fn sealer(&mut self, note: &Note<'_>) -> Signer {
        let by_standby = |line: &Signature| self.signed(Signer::Standby, note.text, line);
        if self.standby == self.sign || !note.signatures.get(1).is_some_and(by_standby) {
            return Signer::Signing;
        }
        let what = "sealed by the standby key: the key service was away";
        self.found(Weight::Note, "seal", None, what);
        Signer::Standby
    }

    fn seal(&mut self, at: &str, seal: &Seal) {
        let ours = self
            .genesis
            .as_ref()
            .is_none_or(|g| (g.session, &g.boot_id) == (seal.session, &seal.boot_id));
        self.require(ours, at, "another session's seal");
        let whole = seal.segments > 0 && self.checkpoints == self.segments;
        self.require(whole, at, "seals a segment without checkpoint, or no segment");
        let agrees = seal.segments == self.segments
            && seal.frames == self.frames
            && self.link.is_none_or(|link| link == seal.link);
        self.require(
            agrees,
            at,
            "does not agree with the segments: something is missing or was added",
        );
        self.require(
            self.listed == seal.objects,
            at,
            "lists another checkpoint, or another digest",
        );
        self.moment(seal.boot_us, seal.sealed.0, at);
        match &seal.read_back {
            Some(read_back) => {
                let all = seal.segments.checked_mul(2).and_then(|n| n.checked_add(1))
                    == Some(read_back.objects);
                self.require(all, at, "says that other objects were read back");
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
    }

    fn recovery(&mut self, at: &str, recovery: &Recovery) {
        let session = self.session().is_none_or(|id| id == recovery.session);
        self.require(session, at, "another session's recovery");
        let agrees = recovery.segments == self.segments
            && recovery.frames == self.frames
            && self.link.is_none_or(|link| link == recovery.link)
            && self.cut.is_none_or(|(_, torn)| torn == 0)
            && recovery.stored_segments <= recovery.segments;
        self.require(
            agrees,
            at,
            "does not agree with the segments: something is missing or was added",
        );
        self.require(self.listed == recovery.objects, at, "lists other objects, or other digests");
        let what = format!(
            "recovered at {}: {}; {} frames are whole, {} torn bytes were never accepted; last local write at {}",
            recovery.recovered,
            recovery.reason,
            recovery.frames,
            recovery.torn_bytes,
            recovery.last_write
        );
        self.found(Weight::Note, at, recovery.frames.checked_sub(1), &what);
    }

    fn parse<'b>(&mut self, name: ObjectName, bytes: &'b [u8]) -> Option<Note<'b>> {
        let note = Kind::of(name).map(|kind| Note::parse(kind, bytes));
        match note {
            Some(Ok(note)) => return Some(note),
            Some(Err(e)) => self.broken(&name.to_string(), None, &e.to_string()),
            None => {}
        }
        None
    }

    fn read<T: DeserializeOwned>(&mut self, name: ObjectName, note: &Note<'_>) -> Option<T> {
        let read = note.read().ok();
        if read.is_none() {
            self.broken(
                &name.to_string(),
                None,
                "not a signed note: a member is missing, doubled or of the wrong type",
            );
        }
        read
    }

    fn signatures(&mut self, at: &str, note: &Note<'_>, signers: &[Signer]) {
        let lines = note.signatures.len() == signers.len();
        let all = note
            .signatures
            .iter()
            .zip(signers)
            .all(|(line, signer)| self.signed(*signer, note.text, line));
        self.require(
            lines && all,
            at,
            "wrong signer: a signature is missing, foreign or does not verify",
        );
    }

    fn signed(&self, signer: Signer, text: &[u8], line: &Signature) -> bool {
        let Some(genesis) = &self.genesis else { return false };
        match signer {
            Signer::Session => {
                self.next.is_some_and(|key| key.verifies(genesis.session, text, line))
            }
            Signer::Standby => {
                let named = genesis.keys.standby.as_ref().zip(self.standby.as_ref());
                named.is_some_and(|(standby, key)| key.verifies_line(&standby.name, text, line))
            }
            Signer::Signing => self
                .sign
                .as_ref()
                .is_some_and(|key| key.verifies_line(&genesis.keys.sign.name, text, line)),
        }
    }
}
