//! Cosignatures: the signing key signs a checkpoint once a minute, and a later checkpoint carries that.

use crate::format::base64;
use crate::format::checkpoint::Cosigned;
use crate::record::clerk::{Clerk, Pending};

/// At most one cosignature is on its way.
#[derive(Debug, Default)]
pub struct Cosigner {
    asked_us: Option<u64>,
    pending: Option<(u64, Pending<Vec<u8>>)>,
}

impl Cosigner {
    /// Returns a cosignature that has come, for the next checkpoint to carry.
    pub fn collect(&mut self) -> Option<Cosigned> {
        let (checkpoint, pending) = self.pending.take()?;
        match pending.poll() {
            None => {
                self.pending = Some((checkpoint, pending));
                None
            }
            Some(Ok(der)) => Some(Cosigned { checkpoint, signature: base64::encode(&der) }),
            // A key service that is down is asked again with the next checkpoint.
            Some(Err(_)) => {
                self.asked_us = None;
                None
            }
        }
    }

    /// Asks for a cosignature over this checkpoint's text, if one is due.
    pub fn ask(&mut self, checkpoint: u64, text: &[u8], clerk: &Clerk, now_us: u64) {
        let due = self.asked_us.is_none_or(|asked_us| now_us.saturating_sub(asked_us) >= EVERY_US);
        if due && self.pending.is_none() {
            self.asked_us = Some(now_us);
            self.pending = Some((checkpoint, clerk.sign(text)));
        }
    }
}

const EVERY_US: u64 = 60_000_000;
