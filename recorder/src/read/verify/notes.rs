//! Verification of the four notes.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::Verifier;
use super::chain::lists;
use crate::format::base64;
use crate::format::chain::{Digest, Link};
use crate::format::checkpoint::{Checkpoint, Cosigned};
use crate::format::genesis::{Genesis, SIGN_ALG, SignKey, WrapKey};
use crate::format::note::{Note, NoteKind, Signature};
use crate::format::session::ObjectName;
use crate::format::sign::SigningPublic;
use crate::read::verdict::{Signed, Weight};

/// Who must have signed a note, in the order of its lines.
#[derive(Clone, Copy)]
pub(super) enum Signer {
    Session,
    Signing,
    Standby,
}

/// What a signature line is worth, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// It verifies.
    Valid,
    /// Nobody knows whose it should be.
    Unknown,
    /// It is another's, or does not verify.
    Wrong,
}

impl Verifier {
    pub(super) fn genesis(&mut self, bytes: &[u8], trusted: &[SigningPublic]) {
        self.chain.listed = vec![(ObjectName::Genesis, Some(Digest::of(bytes)))];
        self.chain.link = Some(Link::genesis(bytes));
        let Some(note) = self.parse(ObjectName::Genesis, bytes) else { return };
        let Some(genesis) = self.read::<Genesis>(ObjectName::Genesis, &note) else { return };
        self.sign = genesis.keys.sign.public();
        self.standby = genesis.keys.standby.as_ref().and_then(SignKey::public);
        let suits = genesis.suite == 1
            && genesis.keys.sign.alg == SIGN_ALG
            && self.standby.is_some() == genesis.keys.standby.is_some()
            && !genesis.keys.wrap.is_empty()
            && genesis.keys.wrap.iter().all(WrapKey::fits);
        let counts = genesis.host.counts();
        self.demand(counts, "genesis", "its host's count and the session before do not fit");
        self.demand(suits, "genesis", "names a suite or an algorithm that version 1 does not have");
        let names: BTreeSet<_> = genesis.keys.wrap.iter().map(|key| &key.name).collect();
        let named_once = names.len() == genesis.keys.wrap.len();
        self.demand(named_once, "genesis", "two wrapping keys have one name");
        let placed = self.placed.is_none_or(|id| id == genesis.session);
        self.require(placed, "genesis", "another session's genesis");
        self.chain.next = Some(genesis.keys.session);
        let created = genesis.created;
        self.moment(genesis.boot_us, genesis.created.0, "genesis");
        self.access(&genesis);
        if genesis.keys.standby.as_ref() == Some(&genesis.keys.sign) {
            let what = "signed by the standby key: begun while the key service was away";
            self.found(Weight::Note, "genesis", None, what);
        }
        self.genesis = Some(genesis);
        let standing = self.signatures("genesis", &note, &[Signer::Signing]);
        let trusted = self.trust(trusted);
        let formed = suits && counts && named_once;
        self.vouched = formed && placed && standing == Worth::Valid && trusted;
        if self.vouched {
            self.heard = Some(("genesis".to_owned(), created));
        }
    }

    /// Returns whether the signing key is a trusted one, or nobody said which are.
    fn trust(&mut self, trusted: &[SigningPublic]) -> bool {
        let (Some(sign), Some(genesis)) = (&self.sign, &self.genesis) else {
            self.broken("genesis", None, STRANGER);
            return false;
        };
        let known = trusted.contains(sign);
        self.signed = Some(Signed {
            name: genesis.keys.sign.name.clone(),
            sha256: Digest::of(sign.spki()),
            trusted: known,
        });
        if trusted.is_empty() {
            let what =
                "no trusted signing key was given: checked against the key that the tape names";
            self.found(Weight::Unread, "genesis", None, what);
        } else if !known {
            self.broken("genesis", None, STRANGER);
        }
        known || trusted.is_empty()
    }

    pub(super) fn checkpoint(&mut self, n: u64, bytes: &[u8]) {
        let name = ObjectName::Checkpoint(n);
        let at = name.to_string();
        let seen = vec![(name, Some(Digest::of(bytes)))];
        let before = std::mem::replace(&mut self.chain.listed, seen);
        let Some(note) = self.parse(name, bytes) else { return self.chain.next = None };
        let standing = self.signatures(&at, &note, &[Signer::Session]);
        // What somebody else signed says nothing, and names no key.
        let read = match standing {
            Worth::Wrong => None,
            Worth::Valid | Worth::Unknown => self.read::<Checkpoint>(name, &note),
        };
        let Some(checkpoint) = read else { return self.chain.next = None };
        let ours = self.ours(checkpoint.session, &checkpoint.boot_id);
        self.require(ours, &at, "another session's checkpoint");
        self.require(checkpoint.checkpoint == n, &at, "another checkpoint's number");
        if self.chain.cut.is_some_and(|(cut, _)| cut == n) {
            self.stretches.cut(n);
            self.broken(&at, None, "its segment was cut");
        }
        let lists = lists(&before, &checkpoint.objects);
        self.require(lists, &at, "lists other objects, or other digests");
        self.covers(n, &at, &checkpoint, standing, ours && lists && checkpoint.checkpoint == n);
        self.moment(checkpoint.boot_us, checkpoint.wall.0, &at);
        self.chain.next = (standing == Worth::Valid).then_some(checkpoint.next);
        self.texts.insert(n, note.text.to_vec());
        if let Some(cosigned) = &checkpoint.cosigned {
            self.cosigned(n, &at, cosigned);
        }
    }

    /// What a checkpoint says of its segment: where it holds, the segment is signed for; where the segment is broken
    /// or cannot be read, the chain goes on from what was signed.
    fn covers(&mut self, n: u64, at: &str, checkpoint: &Checkpoint, standing: Worth, fits: bool) {
        let link = self.chain.link;
        let agrees = link
            .is_none_or(|link| (link, self.chain.frames) == (checkpoint.link, checkpoint.frames));
        self.require(agrees, at, "does not agree with its segment");
        if standing != Worth::Valid {
            return;
        }
        self.heard = Some((at.to_owned(), checkpoint.wall));
        if !self.chain.anchored {
            self.chain.resume(checkpoint.link, checkpoint.frames);
        } else if agrees && fits {
            self.stretches.sign(n);
        } else {
            self.stretches.refute(n);
        }
    }

    fn cosigned(&mut self, n: u64, at: &str, cosigned: &Cosigned) {
        let number = cosigned.checkpoint;
        let later = self.cosigned.is_none_or(|last| last < number);
        self.demand(number < n && later, at, "cosigned: not an earlier checkpoint, or one before");
        let der = base64::decode(&cosigned.signature);
        let verifies = match (&self.sign, self.texts.get(&number), der) {
            (_, _, None) => false,
            (Some(sign), Some(text), Some(der)) => sign.verifies(text, &der),
            // What should have been cosigned could not be read, or is a finding already.
            _ => true,
        };
        self.demand(verifies, at, "wrong signer: the cosignature does not verify");
        self.cosigned = self.cosigned.max(Some(number));
        self.texts.retain(|text, _| *text > number);
    }

    /// The standby key may seal in the signing key's place.
    pub(super) fn sealer(&mut self, note: &Note<'_>) -> Signer {
        let by_standby =
            |line: &Signature| self.standing(Signer::Standby, note.text, line) == Worth::Valid;
        if self.standby == self.sign || !note.signatures.get(1).is_some_and(by_standby) {
            return Signer::Signing;
        }
        let what = "sealed by the standby key: the key service was away";
        self.found(Weight::Note, "seal", None, what);
        Signer::Standby
    }

    pub(super) fn parse<'b>(&mut self, name: ObjectName, bytes: &'b [u8]) -> Option<Note<'b>> {
        let note = NoteKind::of(name).map(|kind| Note::parse(kind, bytes));
        match note {
            Some(Ok(note)) => return Some(note),
            Some(Err(e)) => self.broken(&name.to_string(), None, &e.to_string()),
            None => {}
        }
        None
    }

    pub(super) fn read<T: DeserializeOwned>(
        &mut self,
        name: ObjectName,
        note: &Note<'_>,
    ) -> Option<T> {
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

    /// Judges a note's signature lines. A line whose key is not known is not judged: what should have named the key
    /// is a finding already.
    pub(super) fn signatures(&mut self, at: &str, note: &Note<'_>, signers: &[Signer]) -> Worth {
        let lines = note.signatures.iter().zip(signers);
        let worst = lines.map(|(line, signer)| self.standing(*signer, note.text, line)).max();
        let standing = match worst {
            Some(worst) if note.signatures.len() == signers.len() => worst,
            _ => Worth::Wrong,
        };
        self.require(
            standing != Worth::Wrong,
            at,
            "wrong signer: a signature is missing, foreign or does not verify",
        );
        standing
    }

    pub(super) fn standing(&self, signer: Signer, text: &[u8], line: &Signature) -> Worth {
        let Some(genesis) = &self.genesis else { return Worth::Unknown };
        let session = self.session().unwrap_or(genesis.session);
        let verifies = match signer {
            Signer::Session => self.chain.next.map(|key| key.verifies(session, text, line)),
            Signer::Standby => genesis
                .keys
                .standby
                .as_ref()
                .zip(self.standby.as_ref())
                .map(|(standby, key)| key.verifies_line(&standby.name, text, line)),
            Signer::Signing => {
                self.sign.as_ref().map(|key| key.verifies_line(&genesis.keys.sign.name, text, line))
            }
        };
        match verifies {
            Some(true) => Worth::Valid,
            Some(false) => Worth::Wrong,
            None => Worth::Unknown,
        }
    }
}

const STRANGER: &str = "wrong signer: its signing key is not a trusted one";
