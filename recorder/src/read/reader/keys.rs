//! The key of each segment, from the wraps of its epoch on (FORMAT.md 7).

use std::collections::BTreeMap;

use super::ReadError;
use crate::format::chain::Link;
use crate::format::genesis::Genesis;
use crate::format::segment::Header;
use crate::keys::{KeyOpener, Ratchet, SegmentKey, WrapContext};

/// The keys so far.
#[derive(Default)]
pub(super) struct SegmentKeys {
    /// The link before each segment that could be looked at.
    openings: BTreeMap<u64, Link>,
    ratchet: Option<Stepped>,
}

/// The key chain of an epoch, and the step that comes next.
struct Stepped {
    ratchet: Ratchet,
    epoch: u32,
    step: u32,
}

impl SegmentKeys {
    /// Takes the link before a segment: wraps are bound to one.
    pub(super) fn opened(&mut self, segment: u64, before: Link) {
        self.openings.insert(segment, before);
    }

    /// Returns the key of a segment. Segments come in their order; some may be left out.
    ///
    /// # Errors
    /// When its epoch's key does not open, or was lost with segments that are missing.
    pub(super) fn of(
        &mut self,
        header: &Header,
        genesis: &Genesis,
        opener: &dyn KeyOpener,
    ) -> Result<SegmentKey, ReadError> {
        let lost = ReadError::Commitment(header.segment);
        if let Some(keys) = &header.keys {
            let link = *self.openings.get(&keys.minted).ok_or(lost)?;
            let context = WrapContext { session: genesis.session, epoch: header.epoch, link };
            let key = opener.open(&context, &genesis.keys.wrap, &keys.wraps)?;
            let mut ratchet = Ratchet::begin(key, genesis.session, header.epoch)?;
            let first = ratchet.step()?;
            self.ratchet = Some(Stepped { ratchet, epoch: header.epoch, step: 1 });
            return Ok(first);
        }
        let stepped =
            self.ratchet.as_mut().filter(|at| at.epoch == header.epoch && at.step <= header.step);
        let stepped = stepped.ok_or(lost)?;
        let mut key = stepped.ratchet.step()?;
        while stepped.step < header.step {
            key = stepped.ratchet.step()?;
            stepped.step += 1;
        }
        stepped.step += 1;
        Ok(key)
    }
}
