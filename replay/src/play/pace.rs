//! Where on the tape playback is, as real time goes by.

use std::time::{Duration, Instant};

/// Maps real time to tape time. Times are given in, so that it can be tested.
#[derive(Debug)]
pub struct Pace {
    speed: f64,
    at_us: u64,
    /// When `at_us` was so; none while paused.
    since: Option<Instant>,
}

impl Pace {
    /// Begins at the tape's start, running.
    pub fn new(speed: f64, now: Instant) -> Self {
        Self { speed, at_us: 0, since: Some(now) }
    }

    /// Returns the tape time.
    pub fn at_us(&self, now: Instant) -> u64 {
        let Some(since) = self.since else { return self.at_us };
        let elapsed_us = now.saturating_duration_since(since).as_secs_f64() * self.speed * 1e6;
        // A float that is too large becomes the largest integer.
        self.at_us.saturating_add(elapsed_us as u64)
    }

    /// Returns how long to wait for a tape time; none while paused.
    pub fn until(&self, time_us: u64, now: Instant) -> Option<Duration> {
        self.since?;
        let ahead_us = time_us.saturating_sub(self.at_us(now)) as f64;
        Some(Duration::try_from_secs_f64(ahead_us / 1e6 / self.speed).unwrap_or(Duration::MAX))
    }

    /// Goes to a tape time.
    pub fn jump(&mut self, time_us: u64, now: Instant) {
        self.at_us = time_us;
        self.since = self.since.map(|_| now);
    }

    /// Returns whether time stands.
    pub fn paused(&self) -> bool {
        self.since.is_none()
    }

    /// Pauses, or goes on.
    pub fn toggle(&mut self, now: Instant) {
        if self.paused() { self.resume(now) } else { self.pause(now) }
    }

    /// Time stands.
    pub fn pause(&mut self, now: Instant) {
        self.at_us = self.at_us(now);
        self.since = None;
    }

    /// Time goes on, if it stood.
    pub fn resume(&mut self, now: Instant) {
        self.since = self.since.or(Some(now));
    }

    /// Plays so many times as fast as until now.
    pub fn scale(&mut self, factor: f64, now: Instant) {
        self.jump(self.at_us(now), now);
        self.speed = (self.speed * factor).clamp(SPEED_MIN, SPEED_MAX);
    }
}

/// The slowest and the fastest that keys can make it.
const SPEED_MIN: f64 = 1.0 / 64.0;
const SPEED_MAX: f64 = 1024.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tape_time_follows_speed_and_stands_while_paused() {
        let start = Instant::now();
        let after = |s| start + Duration::from_secs(s);
        let mut pace = Pace::new(2.0, start);
        assert_eq!(pace.at_us(after(3)), 6_000_000);
        assert_eq!(pace.until(8_000_000, after(3)), Some(Duration::from_secs(1)));
        pace.toggle(after(3));
        assert_eq!((pace.at_us(after(9)), pace.until(9, after(9))), (6_000_000, None));
        pace.toggle(after(9));
        pace.scale(0.5, after(9));
        assert_eq!(pace.at_us(after(10)), 7_000_000);
        pace.jump(0, after(10));
        assert_eq!(pace.at_us(after(11)), 1_000_000);
    }

    #[test]
    fn absurd_speeds_wait_long_or_not_at_all() {
        let now = Instant::now();
        assert_eq!(Pace::new(1e-300, now).until(1, now), Some(Duration::MAX));
        assert_eq!(Pace::new(f64::MAX, now).until(u64::MAX, now), Some(Duration::ZERO));
    }
}
