//! The evidence store is away or back: each rung of the ladder is said once on the screen and once on the tape.

use std::time::Duration;

use bg_recorder::event::{Event, KeyState, Notice, StoreLimit, StoreState};
use bg_recorder::neutral::neutral;
use bg_recorder::record::RecordError;

use super::renewal::{extended, time};
use super::{Cause, Run};
use crate::ladder::{Rung, Sight, Why};
use crate::outside::{Granted, Refused, Tidings};

impl Run<'_> {
    /// Looks after the store, and ends the session where it was away for too long.
    pub(super) fn store(&mut self) -> Result<(), Cause> {
        if let Some(why) = self.relay.store.fatal() {
            return Err(Cause::Recorder(RecordError::Store(why)));
        }
        if self.ending.is_some() || self.ended.is_some() {
            return Ok(());
        }
        // One line after the other: what is not drawn yet is not talked over.
        if let Some(notice) = self.warning.is_none().then(|| self.relay.keys.news()).flatten() {
            return self.keys(&notice);
        }
        let now_us = self.relay.clock.boot_us();
        let waiting = self.relay.store.waiting_bytes();
        let since_us = |away: Duration| {
            now_us.saturating_sub(u64::try_from(away.as_micros()).unwrap_or(u64::MAX))
        };
        let down = self.relay.store.down();
        let down_us = down.as_ref().map(|down| since_us(down.away));
        match self.relay.ladder.step(Sight { now_us, down_us, waiting }) {
            Some(rung) => self.climb(rung, waiting, down.and_then(|down| down.refusal)),
            None => self.extensions(now_us).and_then(|()| self.renewals()),
        }
    }

    /// Says where the epoch keys come from: that has changed.
    fn keys(&mut self, notice: &Notice) -> Result<(), Cause> {
        self.record(Event::Notice(notice))?;
        let line = match notice {
            Notice::Keys { state: KeyState::Escrow, why, .. } => format!(
                "gives no key; this part of the tape only the escrow key will open{}",
                because(why.as_deref())
            ),
            _ => "gives keys again; the tape is sealed with them from here on".into(),
        };
        self.warning = Some(format!("bg-shell: the key service {line}"));
        Ok(())
    }

    fn extensions(&mut self, now_us: u64) -> Result<(), Cause> {
        let now = self.relay.clock.now();
        for letter in self.relay.letterbox.take(now) {
            let granted = match letter {
                Ok(granted) => granted,
                Err(Refused(why)) => {
                    self.refuse(why)?;
                    continue;
                }
            };
            let time = Duration::from_secs(granted.for_s);
            // While no outage counts down, it is the session's own end that is moved.
            let Some(left_s) = self.relay.ladder.extend(time, now_us) else {
                self.renewals.push_back(granted);
                continue;
            };
            let (notice, line) = said(granted.clone(), left_s);
            self.record(Event::Notice(&notice))?;
            let kept = self.relay.herald.extended(&granted, left_s, now);
            let unkept = |e| format!("{line}; it cannot be kept as a fact: {e}");
            self.warning = Some(kept.map_or_else(unkept, |()| line.clone()));
        }
        Ok(())
    }

    fn climb(&mut self, rung: Rung, waiting: u64, refusal: Option<String>) -> Result<(), Cause> {
        let notice = self.notice(rung, waiting);
        self.record(Event::Notice(&notice))?;
        self.announce(rung, refusal.as_deref());
        let used = self.relay.ladder.used_percent(waiting);
        let why = because(refusal.as_deref());
        let still = if refusal.is_some() { "still refuses" } else { "is still away" };
        let line = match rung {
            Rung::Spooling { left_s } => {
                let does = if refusal.is_some() { "refuses" } else { "does not answer" };
                let left = time(left_s);
                format!("{does}; recording goes to the spool, for {left} at most{why}")
            }
            Rung::Countdown { left_s } => {
                let left = time(left_s);
                format!("{still}; this session ends in {left} unless it takes objects again{why}")
            }
            Rung::Asking { left_s } => format!(
                "{still}; this session ends in {}, or with its spool ({used} % full); {}{why}",
                time(left_s),
                self.relay.letterbox.plea()
            ),
            Rung::Back { away_s } => format!("takes objects again, after {}", time(away_s)),
            Rung::Drained => "has everything that waited for it".into(),
            Rung::Over { why, away_s } => return Err(self.over(why, away_s)),
        };
        self.warning = Some(format!("bg-shell: the evidence store {line}"));
        Ok(())
    }

    /// Tells others, as soon as they can be reached. How it ends, they are told at the end.
    fn announce(&self, rung: Rung, refusal: Option<&str>) {
        match rung {
            Rung::Spooling { left_s } => {
                let detail = format!("{left_s} s left{}", because(refusal));
                self.relay.herald.tell(Tidings::Outage(&detail));
            }
            Rung::Asking { left_s } => {
                let plea = self.relay.letterbox.plea();
                let detail = format!("{left_s} s left; {plea}{}", because(refusal));
                self.relay.herald.tell(Tidings::Outage(&detail));
            }
            Rung::Back { away_s } => self.relay.herald.tell(Tidings::Back(away_s)),
            Rung::Countdown { .. } | Rung::Drained | Rung::Over { .. } => {}
        }
    }

    fn notice(&self, rung: Rung, waiting_bytes: u64) -> Notice {
        let (state, left_s, away_s) = match rung {
            Rung::Spooling { left_s } => (StoreState::Down, Some(left_s), None),
            Rung::Countdown { left_s } => (StoreState::Countdown, Some(left_s), None),
            Rung::Asking { left_s } => (StoreState::Asking, Some(left_s), None),
            Rung::Back { away_s } => (StoreState::Up, None, Some(away_s)),
            Rung::Drained => (StoreState::Drained, None, None),
            Rung::Over { away_s, .. } => (StoreState::Over, None, Some(away_s)),
        };
        let why = match rung {
            Rung::Over { why: Why::Time, .. } => Some(StoreLimit::Time),
            Rung::Over { why: Why::Space, .. } => Some(StoreLimit::Space),
            _ => None,
        };
        let used_percent = Some(self.relay.ladder.used_percent(waiting_bytes));
        Notice::Store { state, left_s, away_s, used_percent, waiting_bytes, why }
    }

    /// Both directions stop: what was read and not recorded is not released.
    fn over(&self, why: Why, away_s: u64) -> Cause {
        self.relay.switch.off("the session is over");
        let detail = match why {
            Why::Time => format!("the evidence store was away for {}", time(away_s)),
            Why::Space => {
                let limit = self.relay.ladder.spool_max();
                format!(
                    "its spool is full ({limit} bytes), the evidence store was away for {}",
                    time(away_s)
                )
            }
        };
        Cause::Outage(detail)
    }
}

/// Returns what the tape and the screen say of an extension of an outage.
fn said(granted: Granted, left_s: u64) -> (Notice, String) {
    let by = &granted.by;
    let left = time(left_s);
    let line = format!("bg-shell: extended by {by}: this session ends in {left} without its store");
    (extended(granted, left_s, None), line)
}

/// Says why, in the words of a service, behind what it means.
fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| {
        let why = neutral(why);
        format!(" ({})", why.chars().take(WHY_MAX).collect::<String>())
    })
}

/// How much of a service's own words stands in a line.
const WHY_MAX: usize = 160;
