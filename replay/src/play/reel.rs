//! A tape being read forward, one event ahead.

use bg_recorder::codec::Header;
use bg_recorder::reader::{Events, TapeEvent};

use crate::evidence::admitted::{Admitted, unread};
use crate::failure::Failure;

/// The events of a tape with a look at the next one.
#[derive(Debug)]
pub struct Reel<'v> {
    events: Events<'v>,
    next: Option<TapeEvent>,
}

impl<'v> Reel<'v> {
    /// Begins at the start.
    ///
    /// # Errors
    /// When the tape does not open.
    pub fn begin(vault: &'v Admitted<'_>) -> Result<Self, Failure> {
        let mut reel = Self { events: vault.events()?, next: None };
        reel.advance()?;
        Ok(reel)
    }

    /// Returns the asciicast header.
    pub fn header(&self) -> &Header {
        self.events.header()
    }

    /// Returns when the next event happened; none at the end.
    pub fn next_us(&self) -> Option<u64> {
        self.next.as_ref().map(|event| event.line.time_us)
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// When what follows does not open.
    pub fn take(&mut self) -> Result<Option<TapeEvent>, Failure> {
        let taken = self.next.take();
        self.advance()?;
        Ok(taken)
    }

    /// Takes the next event if it happened at `time_us` or before.
    ///
    /// # Errors
    /// When what follows does not open.
    pub fn take_until(&mut self, time_us: u64) -> Result<Option<TapeEvent>, Failure> {
        if self.next_us().is_some_and(|next_us| next_us <= time_us) {
            self.take()
        } else {
            Ok(None)
        }
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.next = self.events.event().map_err(unread)?;
        Ok(())
    }
}

/// Returns when the first event of a code after `time_us` happened.
///
/// # Errors
/// When the tape does not open.
pub fn first_after(vault: &Admitted<'_>, code: char, time_us: u64) -> Result<Option<u64>, Failure> {
    let mut reel = Reel::begin(vault)?;
    while let Some(event) = reel.take()? {
        if event.line.code == code && event.line.time_us > time_us {
            return Ok(Some(event.line.time_us));
        }
    }
    Ok(None)
}

/// Returns when the last event of a code before `time_us` happened.
///
/// # Errors
/// When the tape does not open.
pub fn last_before(vault: &Admitted<'_>, code: char, time_us: u64) -> Result<Option<u64>, Failure> {
    let mut reel = Reel::begin(vault)?;
    let mut last = None;
    while reel.next_us().is_some_and(|next_us| next_us < time_us) {
        let Some(event) = reel.take()? else { break };
        if event.line.code == code {
            last = Some(event.line.time_us);
        }
    }
    Ok(last)
}
