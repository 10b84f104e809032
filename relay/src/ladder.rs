//! The degradation ladder: what a session does while the evidence store is away, so that it neither goes on unrecorded
//! nor locks anybody out. Counts on the boot clock; knows nothing of stores, screens or tapes.

use std::time::Duration;

/// What a role allows while its evidence cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a session goes on without the store.
    pub countdown: Duration,
    /// How many bytes may wait in the spool.
    pub spool_max: u64,
    /// At which part of that the session asks for more time or an end, in percent.
    pub ask_at_percent: u64,
}

/// What is known of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Boot time now, in microseconds.
    pub now_us: u64,
    /// Since when the store does not take objects, if it does not.
    pub down_us: Option<u64>,
    /// Bytes that wait in the spool.
    pub waiting: u64,
}

/// What is to be done about it. Each comes once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// The store went away: recording goes to the spool, for so many seconds at most.
    Spooling {
        /// Seconds until the end.
        left_s: u64,
    },
    /// Still away.
    Countdown {
        /// Seconds until the end.
        left_s: u64,
    },
    /// Time or space is nearly gone: somebody extends, or the session ends.
    Asking {
        /// Seconds until the end.
        left_s: u64,
    },
    /// The store is back.
    Back {
        /// For how many seconds it was away.
        away_s: u64,
    },
    /// It has everything that waited.
    Drained,
    /// The session ends.
    Over {
        /// Which limit was reached.
        why: Why,
        /// For how many seconds the store was away.
        away_s: u64,
    },
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The countdown.
    Time,
    /// The spool.
    Space,
}

/// Where a session stands.
#[derive(Debug)]
pub struct Ladder {
    policy: Policy,
    outage: Option<Outage>,
    /// How long the store may be away before that is an outage.
    grace_us: u64,
}

/// From the store's going away until nothing waits for it any more.
///
/// The time of every spell counts, and no other. If each return began the countdown anew, a store that takes one object
/// every 14 minutes (or whoever makes it look so) would let a session go on for ever with nothing of it stored. If the
/// time between the spells counted as well, a session would be ended although its store is back and only has much to
/// take. So `spent_us` keeps the spells that are over and `since_us` the present one, and both are forgotten only once
/// next to nothing waits: what was recorded meanwhile is stored then, and there is nothing left that must be limited.
#[derive(Debug, Default)]
struct Outage {
    /// Since when the store is away now.
    since_us: Option<u64>,
    /// For how long it was before.
    spent_us: u64,
    /// Extensions granted.
    extended: Duration,
    /// Seconds left at which something is still to be said, longest first.
    marks_s: Vec<u64>,
    asked: bool,
}

impl Ladder {
    /// Begins at the foot.
    pub fn new(policy: Policy) -> Self {
        Self { policy, outage: None, grace_us: GRACE_US }
    }

    /// Begins without the store.
    pub fn offline(policy: Policy) -> Self {
        Self { policy, outage: None, grace_us: 0 }
    }

    /// Returns how many bytes may wait in the spool.
    pub fn spool_max(&self) -> u64 {
        self.policy.spool_max
    }

    /// Returns how much of that is used, in percent.
    pub fn used_percent(&self, waiting: u64) -> u64 {
        waiting.saturating_mul(100).checked_div(self.policy.spool_max).unwrap_or(100)
    }

    /// Takes an extension of the present outage; returns the seconds left, or none where the store is not away.
    pub fn extend(&mut self, by: Duration, now_us: u64) -> Option<u64> {
        let outage = self.outage.as_mut().filter(|outage| outage.since_us.is_some())?;
        outage.extended = outage.extended.saturating_add(by);
        let left_s = outage.left_s(&self.policy, now_us);
        outage.begin(left_s);
        Some(left_s)
    }

    /// Returns what is to be done now, if anything.
    pub fn step(&mut self, sight: Sight) -> Option<Rung> {
        match sight.down_us {
            Some(since_us) => self.away(sight, since_us),
            None => self.there(sight),
        }
    }

    fn away(&mut self, sight: Sight, since_us: u64) -> Option<Rung> {
        let known = self.outage.as_ref().is_some_and(|outage| outage.since_us.is_some());
        // One failed call is no outage.
        if !known && sight.now_us.saturating_sub(since_us) < self.grace_us {
            return None;
        }
        let used = self.used_percent(sight.waiting);
        let outage = self.outage.get_or_insert_default();
        outage.since_us.get_or_insert(since_us);
        let left_s = outage.left_s(&self.policy, sight.now_us);
        let away_s = outage.gone_s(sight.now_us);
        if sight.waiting >= self.policy.spool_max {
            return Some(Rung::Over { why: Why::Space, away_s });
        }
        if left_s == 0 {
            return Some(Rung::Over { why: Why::Time, away_s });
        }
        if !known {
            outage.begin(left_s);
            return Some(Rung::Spooling { left_s });
        }
        outage.rung(left_s, used >= self.policy.ask_at_percent)
    }

    /// A full spool is no end here: the session waits for the store, which takes what there is.
    fn there(&mut self, sight: Sight) -> Option<Rung> {
        let outage = self.outage.as_mut()?;
        if let Some(since_us) = outage.since_us.take() {
            self.grace_us = GRACE_US;
            outage.spent_us = outage.spent_us.saturating_add(sight.now_us.saturating_sub(since_us));
            return Some(Rung::Back { away_s: seconds(outage.spent_us) });
        }
        let caught_up = sight.waiting <= CAUGHT_UP.min(self.policy.spool_max / 10);
        caught_up.then(|| {
            self.outage = None;
            Rung::Drained
        })
    }
}

impl Outage {
    fn begin(&mut self, left_s: u64) {
        self.marks_s = MARKS_S.into_iter().filter(|mark| *mark < left_s).collect();
        self.asked = false;
    }

    fn rung(&mut self, left_s: u64, filling: bool) -> Option<Rung> {
        if !self.asked && (left_s <= ASK_LEFT_S || filling) {
            self.asked = true;
            self.marks_s.retain(|mark| *mark < left_s);
            return Some(Rung::Asking { left_s });
        }
        let due = self.marks_s.first().is_some_and(|mark| left_s <= *mark);
        if due {
            self.marks_s.retain(|mark| *mark < left_s);
        }
        due.then_some(Rung::Countdown { left_s })
    }

    fn left_s(&self, policy: &Policy, now_us: u64) -> u64 {
        let limit_us = policy.countdown.saturating_add(self.extended).as_micros();
        let left_us = limit_us.saturating_sub(u128::from(self.gone_us(now_us)));
        u64::try_from(left_us.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    fn gone_s(&self, now_us: u64) -> u64 {
        seconds(self.gone_us(now_us))
    }

    fn gone_us(&self, now_us: u64) -> u64 {
        let present_us = self.since_us.map_or(0, |since_us| now_us.saturating_sub(since_us));
        self.spent_us.saturating_add(present_us)
    }
}

fn seconds(us: u64) -> u64 {
    us / 1_000_000
}

/// When the countdown is told, in seconds before its end.
const MARKS_S: [u64; 6] = [3_600, 1_800, 600, 300, 60, 10];
/// With so many seconds left, it is asked for an extension.
const ASK_LEFT_S: u64 = 120;
/// How long the store may be away before that is an outage.
const GRACE_US: u64 = 2_000_000;
/// With so few bytes waiting, the outage is over: a session that goes on always has some on their way.
const CAUGHT_UP: u64 = 2_097_152;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy =
        Policy { countdown: Duration::from_secs(900), spool_max: 1_000, ask_at_percent: 80 };

    fn at(now_s: u64, down_s: Option<u64>, waiting: u64) -> Sight {
        Sight { now_us: now_s * 1_000_000, down_us: down_s.map(|s| s * 1_000_000), waiting }
    }

    fn over(rung: Option<Rung>, of: Why) -> bool {
        matches!(rung, Some(Rung::Over { why, .. }) if why == of)
    }

    #[test]
    fn an_outage_says_when_it_begins_when_it_ends_and_when_nothing_waits_any_more() {
        let mut ladder = Ladder::new(POLICY);
        assert_eq!(ladder.step(at(10, None, 0)), None);
        assert_eq!(ladder.step(at(20, Some(18), 5)), Some(Rung::Spooling { left_s: 898 }));
        assert_eq!(ladder.step(at(40, Some(18), 5)), None);
        assert_eq!(ladder.step(at(50, None, 500)), Some(Rung::Back { away_s: 32 }));
        assert_eq!(ladder.step(at(51, None, 300)), None);
        assert_eq!(ladder.step(at(52, None, 100)), Some(Rung::Drained));
        assert_eq!(ladder.step(at(53, None, 0)), None);
    }

    #[test]
    fn one_failed_call_is_no_outage() {
        let mut ladder = Ladder::new(POLICY);
        assert_eq!(ladder.step(at(10, Some(9), 2_000)), None);
        assert_eq!(ladder.step(at(11, None, 2_000)), None);
    }

    #[test]
    fn a_session_that_begins_without_the_store_says_so_at_once() {
        let mut ladder = Ladder::offline(POLICY);
        assert_eq!(ladder.step(at(10, Some(10), 5)), Some(Rung::Spooling { left_s: 900 }));
        ladder.step(at(20, None, 5));
        ladder.step(at(21, None, 5));
        assert_eq!(ladder.step(at(30, Some(29), 5)), None);
    }

    #[test]
    fn the_countdown_is_told_then_asked_about_then_over() {
        let mut ladder = Ladder::new(POLICY);
        let told: Vec<Rung> = (0..=900).filter_map(|s| ladder.step(at(s, Some(0), 0))).collect();
        assert_eq!(
            told,
            [
                Rung::Spooling { left_s: 898 },
                Rung::Countdown { left_s: 600 },
                Rung::Countdown { left_s: 300 },
                Rung::Asking { left_s: 120 },
                Rung::Countdown { left_s: 60 },
                Rung::Countdown { left_s: 10 },
                Rung::Over { why: Why::Time, away_s: 900 },
            ]
        );
    }

    #[test]
    fn a_filling_spool_asks_and_a_full_one_ends() {
        let mut ladder = Ladder::new(POLICY);
        ladder.step(at(2, Some(0), 0));
        assert_eq!(ladder.step(at(3, Some(0), 799)), None);
        assert_eq!(ladder.step(at(4, Some(0), 800)), Some(Rung::Asking { left_s: 896 }));
        assert_eq!(ladder.step(at(5, Some(0), 900)), None);
        assert!(over(ladder.step(at(6, Some(0), 1_000)), Why::Space));
    }

    #[test]
    fn a_full_spool_that_drains_is_waited_for() {
        let mut ladder = Ladder::new(POLICY);
        assert_eq!(ladder.step(at(6, None, 1_000)), None);
    }

    #[test]
    fn an_extension_counts_for_one_outage_and_tells_no_mark_twice() {
        let mut ladder = Ladder::new(POLICY);
        assert_eq!(ladder.extend(Duration::from_secs(600), 0), None);
        ladder.step(at(2, Some(0), 0));
        assert!(matches!(
            ladder.step(at(800, Some(0), 0)),
            Some(Rung::Asking { .. } | Rung::Countdown { .. })
        ));
        assert_eq!(ladder.extend(Duration::from_secs(600), 800_000_000), Some(700));
        assert_eq!(ladder.step(at(801, Some(0), 0)), None);
        assert_eq!(ladder.step(at(901, Some(0), 0)), Some(Rung::Countdown { left_s: 599 }));
        assert!(over(ladder.step(at(1_500, Some(0), 0)), Why::Time));
        assert_eq!(ladder.step(at(1_501, None, 0)), Some(Rung::Back { away_s: 1_501 }));
        assert_eq!(ladder.step(at(1_502, None, 0)), Some(Rung::Drained));
        assert_eq!(ladder.step(at(2_002, Some(2_000), 0)), Some(Rung::Spooling { left_s: 898 }));
    }

    #[test]
    fn a_store_that_comes_back_for_a_moment_does_not_begin_the_time_anew() {
        let mut ladder = Ladder::new(POLICY);
        ladder.step(at(2, Some(0), 500));
        ladder.step(at(700, Some(0), 500));
        assert_eq!(ladder.step(at(800, None, 500)), Some(Rung::Back { away_s: 800 }));
        assert_eq!(ladder.step(at(860, Some(850), 500)), Some(Rung::Spooling { left_s: 90 }));
        assert!(over(ladder.step(at(950, Some(850), 500)), Why::Time));
    }

    proptest! {
        #[test]
        fn however_it_is_looked_at_no_outage_outlasts_its_time(steps in prop::collection::vec(0u64..400, 1..20)) {
            let mut ladder = Ladder::new(POLICY);
            let mut now_s = 0;
            let mut ended = false;
            for step in steps {
                now_s += step;
                ended |= over(ladder.step(at(now_s, Some(0), 0)), Why::Time);
            }
            prop_assert!(ended || now_s < 900 || over(ladder.step(at(now_s, Some(0), 0)), Why::Time));
        }

        #[test]
        fn nothing_ends_while_the_store_is_there(waiting: u64, now_s in 0u64..1_000_000) {
            let mut ladder = Ladder::new(POLICY);
            ladder.step(at(2, Some(0), 0));
            ladder.step(at(3, None, 0));
            let rung = ladder.step(at(now_s, None, waiting));
            prop_assert!(!over(rung, Why::Time) && !over(rung, Why::Space));
        }
    }
}
