//! The session's time limit: warned of at ten minutes, at five and at one, then kept.

use std::time::Duration;

/// Counts down on the boot clock.
#[derive(Debug)]
pub struct Deadline {
    at_us: u64,
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
    /// Begins at `start_us`. A session shorter than a warning's lead is not warned that early.
    pub fn new(start_us: u64, limit: Duration) -> Self {
        let limit_us = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        let mut warnings = WARNINGS_S.to_vec();
        warnings.retain(|lead| lead.saturating_mul(1_000_000) < limit_us);
        Self { at_us: start_us.saturating_add(limit_us), warnings }
    }

    /// Returns when the time is over, on the boot clock.
    pub fn at_us(&self) -> u64 {
        self.at_us
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
}
