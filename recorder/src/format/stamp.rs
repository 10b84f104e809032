//! A wall time, in microseconds since the Unix epoch.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A wall time. In text: RFC 3339 in UTC with six decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Stamp(pub u64);

impl Stamp {
    /// Returns the time so much later; at the end of time it stands still.
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Returns how long it is from here to `later`; nothing when that has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0))
    }

    /// Returns it with seconds only, as AWS writes times: `2026-11-23T06:00:00Z`.
    pub fn seconds(self) -> String {
        format!("{}Z", self.cut(0, 19))
    }

    /// Returns the minute, for people: `2026-11-23 06:00`.
    pub fn minute(self) -> String {
        self.cut(0, 16).replace('T', " ")
    }

    /// Returns the time of day: `06:00:00`.
    pub fn clock(self) -> String {
        self.cut(11, 8)
    }

    /// Returns the time of day without its seconds: `06:00`.
    pub fn hour(self) -> String {
        self.cut(11, 5)
    }

    /// Returns the day as a path, the part of a session's prefix that sorts it by day: `2026/11/23`.
    pub fn day(self) -> String {
        self.cut(0, 10).replace('-', "/")
    }

    fn cut(self, from: usize, len: usize) -> String {
        self.to_string().chars().skip(from).take(len).collect()
    }
}

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
        parse_stamp(&text)
            .ok_or_else(|| de::Error::custom("not an RFC 3339 time in UTC with six decimals"))
    }
}

fn parse_stamp(text: &str) -> Option<Stamp> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let stamp = Stamp(u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()?);
    (stamp.to_string() == text).then_some(stamp)
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
        assert_eq!(stamp.day(), "2026/11/23");
        assert_eq!(stamp.minute(), "2026-11-23 06:00");
        assert_eq!(stamp.clock(), "06:00:00");
        assert_eq!(stamp.hour(), "06:00");
        assert_eq!(stamp.seconds(), "2026-11-23T06:00:00Z");
        assert_eq!(stamp.until(stamp.after(Duration::from_secs(9))), Duration::from_secs(9));
        for bad in
            ["2026-11-23T06:00:00Z", "2026-11-23T06:00:00.1234567Z", "2026-11-23 06:00:00.123456Z"]
        {
            assert!(serde_json::from_str::<Stamp>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }
}
