//! The session's time limit: warned of at ten minutes, at five and at one, then kept. It can be moved, up to a maximum.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts down on the boot clock.
#[derive(Debug)]
pub struct Deadline {
    at_us: u64,
    /// Whoever watches beside the loop reads it here.
    shared: Arc<AtomicU64>,
    /// It is moved no later than this.
    max_us: u64,
    /// Warnings still to be given, in seconds before the deadline.
    warnings: Vec<u64>,
}

/// What the time says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// So many seconds are left.
    Warning(u64),
    /// The time is over.
    Over,
}

impl Deadline {
    /// Begins at `start_us`, for good: nothing moves it.
    pub fn new(start_us: u64, limit: Duration) -> Self {
        Self::movable(start_us, limit, limit)
    }

    /// Begins at `start_us`; counted from there, it is moved no further than `max`. A session shorter than a warning's
    /// lead is not warned that early.
    pub fn movable(start_us: u64, limit: Duration, max: Duration) -> Self {
        let at_us = after(start_us, limit);
        let max_us = after(start_us, max).max(at_us);
        let warnings = warnings(at_us.saturating_sub(start_us));
        Self { at_us, shared: Arc::new(AtomicU64::new(at_us)), max_us, warnings }
    }

    /// Lends when the time is over, on the boot clock, to whoever watches beside the loop.
    pub fn watched(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared)
    }

    /// Returns by how much it can be moved of what is wanted; none where that is nothing.
    pub fn room(&self, wanted: Duration) -> Option<Duration> {
        let room = Duration::from_micros(self.max_us.saturating_sub(self.at_us)).min(wanted);
        (!room.is_zero()).then_some(room)
    }

    /// Moves it; the warnings that are ahead then are given again. Returns the seconds left.
    pub fn lengthen(&mut self, by: Duration, now_us: u64) -> u64 {
        self.at_us = after(self.at_us, by).min(self.max_us);
        self.shared.store(self.at_us, Ordering::SeqCst);
        let left_us = self.at_us.saturating_sub(now_us);
        self.warnings = warnings(left_us);
        left_us.div_ceil(1_000_000)
    }

    /// Returns what is due now; each warning comes once.
    pub fn due(&mut self, now_us: u64) -> Due {
        if now_us >= self.at_us {
            return Due::Over;
        }
        match self.warnings.first().copied() {
            Some(lead) if self.warning_us(lead) <= now_us => {
                self.warnings.remove(0);
                Due::Warning((self.at_us - now_us).div_ceil(1_000_000))
            }
            _ => Due::Nothing,
        }
    }

    /// Returns milliseconds until something is due.
    pub fn next_ms(&self, now_us: u64) -> u64 {
        let next_us = self.warnings.first().map_or(self.at_us, |lead| self.warning_us(*lead));
        next_us.saturating_sub(now_us).div_ceil(1_000)
    }

    fn warning_us(&self, lead_s: u64) -> u64 {
        self.at_us.saturating_sub(lead_s.saturating_mul(1_000_000))
    }
}

/// Returns the warnings of so much time.
fn warnings(left_us: u64) -> Vec<u64> {
    let fits = |lead: &u64| lead.saturating_mul(1_000_000) < left_us;
    WARNINGS_S.into_iter().filter(fits).collect()
}

fn after(us: u64, time: Duration) -> u64 {
    us.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

const WARNINGS_S: [u64; 3] = [600, 300, 60];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_comes_once_and_then_the_end() {
        let mut deadline = Deadline::new(0, Duration::from_secs(600));
        assert_eq!(deadline.due(299_000_000), Due::Nothing);
        assert_eq!(deadline.next_ms(299_000_000), 1_000);
        assert_eq!(deadline.due(301_000_000), Due::Warning(299));
        assert_eq!(deadline.due(302_000_000), Due::Nothing);
        assert_eq!(deadline.due(540_000_000), Due::Warning(60));
        assert_eq!(deadline.due(600_000_000), Due::Over);
    }

    #[test]
    fn a_short_session_is_warned_as_late_as_makes_sense() {
        assert_eq!(Deadline::new(0, Duration::from_secs(90)).due(0), Due::Nothing);
        assert_eq!(Deadline::new(0, Duration::from_secs(90)).next_ms(0), 30_000);
        assert_eq!(Deadline::new(0, Duration::from_secs(30)).next_ms(0), 30_000);
    }

    #[test]
    fn it_is_moved_up_to_its_maximum_and_warns_again() {
        let minute = Duration::from_secs(60);
        let mut deadline = Deadline::movable(0, minute * 10, minute * 15);
        let watched = deadline.watched();
        assert_eq!(deadline.due(550_000_000), Due::Warning(50));
        assert_eq!(deadline.due(551_000_000), Due::Warning(49));
        assert_eq!(deadline.due(552_000_000), Due::Nothing);
        assert_eq!(deadline.room(minute), Some(minute));
        assert_eq!(deadline.lengthen(minute, 560_000_000), 100);
        assert_eq!(watched.load(Ordering::SeqCst), 660_000_000);
        assert_eq!(deadline.due(600_000_000), Due::Warning(60));
        assert_eq!(deadline.room(minute * 30), Some(minute * 4));
        assert_eq!(deadline.lengthen(minute * 30, 600_000_000), 300);
        assert_eq!(deadline.room(minute), None);
        assert_eq!(deadline.due(899_000_000), Due::Warning(1));
        assert_eq!(deadline.due(900_000_000), Due::Over);
    }

    #[test]
    fn what_was_not_made_to_be_moved_is_not() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(Deadline::new(0, hour).room(hour), None);
        assert_eq!(Deadline::movable(0, hour, hour / 2).room(hour), None);
    }
}
