//! The evidence store is away or back: each rung of the ladder is said once on the screen and once on the tape.

use std::time::Duration;

use bg_recorder::event::{Event, Notice, StoreLimit, StoreState};
use bg_recorder::recorder::RecordError;

use super::{Cause, Run};
use crate::ladder::{Rung, Sight, Why};

impl Run<'_> {
    /// Looks after the store, and ends the session where it was away for too long.
    pub(super) fn store(&mut self) -> Result<(), Cause> {
        if let Some(why) = self.relay.watch.fatal() {
            return Err(Cause::Recorder(RecordError::Store(why)));
        }
        if self.ending.is_some() || self.ended.is_some() {
            return Ok(());
        }
        let now_us = self.relay.clock.boot_us();
        let waiting = self.relay.watch.waiting_bytes();
        let since_us = |down: std::time::Instant| {
            now_us.saturating_sub(u64::try_from(down.elapsed().as_micros()).unwrap_or(u64::MAX))
        };
        let down_us = self.relay.watch.down().map(since_us);
        match self.relay.ladder.step(Sight { now_us, down_us, waiting }) {
            Some(rung) => self.climb(rung, waiting),
            None => Ok(()),
        }
    }

    fn climb(&mut self, rung: Rung, waiting: u64) -> Result<(), Cause> {
        let notice = self.notice(rung, waiting);
        self.relay.scribe.recorder().accept(Event::Notice(&notice)).map_err(Cause::Recorder)?;
        let used = self.relay.ladder.used_percent(waiting);
        let line = match rung {
            Rung::Spooling { left_s } => {
                format!("does not answer; recording goes to the spool, for {} at most", time(left_s))
            }
            Rung::Countdown { left_s } => {
                format!("is still away; this session ends in {} unless it comes back", time(left_s))
            }
            Rung::Asking { left_s } => format!(
                "is still away; this session ends in {}, or with its spool ({used} % full); {}",
                time(left_s),
                self.relay.plea
            ),
            Rung::Back { away_s } => format!("answers again, after {}", time(away_s)),
            Rung::Drained => "has everything that waited for it".into(),
            Rung::Over { why, away_s } => return Err(self.over(why, away_s)),
        };
        self.warning = Some(format!("bg-shell: the evidence store {line}"));
        Ok(())
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
                format!("its spool is full ({limit} bytes), the evidence store was away for {}", time(away_s))
            }
        };
        Cause::Outage(detail)
    }
}

fn time(s: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(s))
}
