//! The evidence store is away or back: each rung of the ladder is said once on the screen and once on the tape.

use std::time::Duration;

use bg_recorder::event::{
    Event, Extended, ExtendedAs, ExtensionState, KeyState, Notice, StoreLimit, StoreState,
};
use bg_recorder::neutral::neutral;
use bg_recorder::record::RecordError;

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
            None if down_us.is_some() => self.extensions(now_us),
            None => Ok(()),
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
            let left_s = match &letter {
                Ok(granted) => self.relay.ladder.extend(Duration::from_secs(granted.for_s), now_us),
                Err(_) => None,
            };
            let granted = letter.as_ref().ok().cloned().zip(left_s);
            let (notice, line) = said(letter, left_s);
            self.record(Event::Notice(&notice))?;
            let kept = granted.map_or(Ok(()), |(granted, left_s)| {
                self.relay.herald.extended(&granted, left_s, now)
            });
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

/// Returns what the tape and the screen say of an extension. One that comes when the store is there is not used.
fn said(letter: Result<Granted, Refused>, left_s: Option<u64>) -> (Notice, String) {
    let (granted, left_s) = match (letter, left_s) {
        (Ok(granted), Some(left_s)) => (granted, left_s),
        (Ok(granted), None) => {
            return refused(format!("{} gave time, and the store is there", granted.by));
        }
        (Err(Refused(why)), _) => return refused(why),
    };
    let Granted { by, for_s, signed } = granted;
    let line = format!(
        "bg-shell: extended by {by}: this session ends in {} without its store",
        time(left_s)
    );
    let by_role = if signed.is_some() { ExtendedAs::Approver } else { ExtendedAs::Responder };
    let (statement, signature) = signed.map(|signed| (signed.statement, signed.signature)).unzip();
    let notice = Extended {
        state: ExtensionState::Granted,
        by: Some(by),
        by_role: Some(by_role),
        for_s: Some(for_s),
        left_s: Some(left_s),
        statement,
        signature,
        why: None,
    };
    (Notice::Extension(notice), line)
}

fn refused(why: String) -> (Notice, String) {
    let line = format!("bg-shell: an extension does not count: {}", neutral(&why));
    (Notice::Extension(Extended { why: Some(why), ..Extended::default() }), line)
}

/// Says why, in the words of a service, behind what it means.
fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| {
        let why = neutral(why);
        format!(" ({})", why.chars().take(WHY_MAX).collect::<String>())
    })
}

fn time(s: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(s))
}

/// How much of a service's own words stands in a line.
const WHY_MAX: usize = 160;
