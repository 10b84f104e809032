//! Key epochs: each begins with a minted key, asked for ahead so that nobody waits for it (FORMAT.md 7).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::format::chain::Link;
use crate::format::event::{KeyState, Notice};
use crate::format::genesis::Limits;
use crate::format::segment::HeaderKeys;
use crate::format::session::SessionId;
use crate::keys::{KeyError, MintedKey, Ratchet, SegmentKey, WrapContext};
use crate::record::clerk::{Clerk, Pending};

/// The epochs of one session.
#[derive(Debug)]
pub struct Epochs {
    session: SessionId,
    limits: Limits,
    number: u32,
    step: u32,
    ratchet: Ratchet,
    keys: Option<HeaderKeys>,
    began_us: u64,
    sealed_bytes: u64,
    next: Option<(u64, Pending<MintedKey>)>,
    watch: KeyWatch,
}

/// Says where epoch keys come from, once each time that this changes. It needs no recorder.
#[derive(Debug, Clone, Default)]
pub struct KeyWatch(Arc<Mutex<Origin>>);

#[derive(Debug, Default)]
struct Origin {
    /// Why the newest epoch's key was made without KMS.
    alone: Option<String>,
    news: Option<Notice>,
}

/// What a segment that opens now gets.
#[derive(Debug)]
pub struct Stepped {
    /// The epoch.
    pub epoch: u32,
    /// The step in it.
    pub step: u32,
    /// The epoch's wraps, at its first step.
    pub keys: Option<HeaderKeys>,
    /// The segment's key and commitment.
    pub key: SegmentKey,
}

impl Epochs {
    /// Begins epoch 0 and waits for its key: without one there is no session.
    ///
    /// # Errors
    /// When no key can be had.
    pub fn begin(
        session: SessionId,
        limits: Limits,
        link: Link,
        clerk: &Clerk,
        now_us: u64,
    ) -> Result<Self, KeyError> {
        let minted = clerk.mint(WrapContext { session, epoch: 0, link }).wait()?;
        let keys = Some(HeaderKeys { minted: 0, wraps: minted.wraps });
        let ratchet = Ratchet::begin(minted.key, session, 0)?;
        let watch = KeyWatch::default();
        watch.turned(0, minted.alone);
        Ok(Self {
            session,
            limits,
            number: 0,
            step: 0,
            ratchet,
            keys,
            began_us: now_us,
            sealed_bytes: 0,
            next: None,
            watch,
        })
    }

    /// Returns the key of segment `segment`, which opens now after `link`.
    ///
    /// # Errors
    /// When the ratchet refuses. A key service that fails is asked again later: the ratchet goes on meanwhile.
    pub fn step(
        &mut self,
        segment: u64,
        link: Link,
        clerk: &Clerk,
        now_us: u64,
    ) -> Result<Stepped, KeyError> {
        // The limits say when the next epoch may begin, not when it must: its key comes from a service that may be slow
        // or away, and no recording waits for that. The key is asked for at three quarters, bound to the link of that
        // moment, and the epoch begins with the first segment that opens when both the limit is reached and the key is
        // here. Until then the ratchet goes on, which needs nobody: every segment still has a key of its own, and none
        // is used twice. The price of a late epoch is that whoever gets the old one's key opens more than the limits
        // meant. The header's `minted` names the segment whose link the key is bound to, so a verifier accepts it late.
        if self.used(now_us, 4, 4) {
            self.turn(now_us)?;
        }
        if self.used(now_us, 3, 4) && self.next.is_none() {
            let epoch = self
                .number
                .checked_add(1)
                .ok_or_else(|| KeyError::Unavailable("no epoch left".into()))?;
            self.next =
                Some((segment, clerk.mint(WrapContext { session: self.session, epoch, link })));
        }
        let stepped = Stepped {
            epoch: self.number,
            step: self.step,
            keys: self.keys.take(),
            key: self.ratchet.step()?,
        };
        self.step += 1;
        Ok(stepped)
    }

    /// Returns a view of where the keys come from.
    pub fn watch(&self) -> KeyWatch {
        self.watch.clone()
    }

    /// Counts sealed bytes towards the epoch's limit.
    pub fn sealed(&mut self, bytes: u64) {
        self.sealed_bytes += bytes;
    }

    /// Returns whether `part` of `whole` of the epoch's time or bytes are used.
    fn used(&self, now_us: u64, part: u64, whole: u64) -> bool {
        let age_ms = now_us.saturating_sub(self.began_us) / 1_000;
        age_ms >= self.limits.epoch_ms / whole * part
            || self.sealed_bytes >= self.limits.epoch_bytes / whole * part
    }

    fn turn(&mut self, now_us: u64) -> Result<(), KeyError> {
        let Some((segment, pending)) = self.next.take() else { return Ok(()) };
        let minted = match pending.poll() {
            None => {
                self.next = Some((segment, pending));
                return Ok(());
            }
            Some(Err(_)) => return Ok(()),
            Some(Ok(minted)) => minted,
        };
        self.number += 1;
        self.step = 0;
        self.ratchet = Ratchet::begin(minted.key, self.session, self.number)?;
        self.keys = Some(HeaderKeys { minted: segment, wraps: minted.wraps });
        self.began_us = now_us;
        self.sealed_bytes = 0;
        self.watch.turned(self.number, minted.alone);
        Ok(())
    }
}

impl KeyWatch {
    /// Takes what is to be told, if anything is.
    pub fn news(&self) -> Option<Notice> {
        self.origin().news.take()
    }

    fn turned(&self, epoch: u32, alone: Option<String>) {
        let mut origin = self.origin();
        if origin.alone.is_some() != alone.is_some() {
            let state = if alone.is_some() { KeyState::Escrow } else { KeyState::Service };
            origin.news = Some(Notice::Keys { epoch, state, why: alone.clone() });
        }
        origin.alone = alone;
    }

    fn origin(&self) -> MutexGuard<'_, Origin> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
