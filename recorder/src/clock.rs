//! Wall time and boot time, in microseconds.

use std::time::{Duration, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where the time comes from. Boot time counts suspension and is never set; wall time may jump.
pub trait Clock: Send + Sync {
    /// Returns microseconds since the Unix epoch.
    fn wall_us(&self) -> u64;
    /// Returns microseconds of `CLOCK_BOOTTIME` (clock_gettime(2)).
    fn boot_us(&self) -> u64;
}

/// The kernel's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall_us(&self) -> u64 {
        micros(clock_gettime(ClockId::Realtime))
    }

    fn boot_us(&self) -> u64 {
        micros(clock_gettime(ClockId::Boottime))
    }
}

/// A wall time. In text: RFC 3339 in UTC with six decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Stamp(pub u64);

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = UNIX_EPOCH + Duration::from_micros(self.0.min(STAMP_MAX_US));
        write!(f, "{}", humantime::format_rfc3339_micros(time))
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_stamp(&text).ok_or_else(|| de::Error::custom("not an RFC 3339 time in UTC with six decimals"))
    }
}

/// Returns the `yyyy/mm/dd` of a wall time, the part of a session's prefix that sorts it by day.
pub fn wall_day(stamp: Stamp) -> String {
    stamp.to_string().chars().take(10).map(|c| if c == '-' { '/' } else { c }).collect()
}

/// Returns the kernel's boot id, which tells two boots of one host apart (random(4)).
///
/// # Errors
/// When `/proc` is not readable.
pub fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

fn parse_stamp(text: &str) -> Option<Stamp> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let stamp = Stamp(u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()?);
    (stamp.to_string() == text).then_some(stamp)
}

fn micros(time: Timespec) -> u64 {
    // Both clocks count up from zero, so a negative part can only mean a broken kernel: it reads as zero.
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    secs.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}

/// The last microsecond of the year 9999, beyond which RFC 3339 has no text.
const STAMP_MAX_US: u64 = 253_402_300_799_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_read_only_what_they_print() {
        let text = "\"2026-11-23T06:00:00.123456Z\"";
        let stamp: Stamp = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&stamp).unwrap(), text);
        assert_eq!(wall_day(stamp), "2026/11/23");
        for bad in ["2026-11-23T06:00:00Z", "2026-11-23T06:00:00.1234567Z", "2026-11-23 06:00:00.123456Z"] {
            assert!(serde_json::from_str::<Stamp>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }
}
