//! How a length of time is written.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// It cannot be read.
    #[error("{0}; write it like 45m or 1h30m")]
    Unreadable(humantime::DurationError),
    /// It is no time at all.
    #[error("a session needs some time")]
    Zero,
}

/// Reads a duration such as `45m` or `1h30m`.
///
/// # Errors
/// When it is none, or zero.
pub fn duration(text: &str) -> Result<Duration, DurationError> {
    match humantime::parse_duration(text).map_err(DurationError::Unreadable)? {
        duration if duration.is_zero() => Err(DurationError::Zero),
        duration => Ok(duration),
    }
}

/// Reads seconds (`90`, `1.5`), or a duration with units (`1m30s`).
pub fn seconds(text: &str) -> Option<Duration> {
    let plain = text.parse::<f64>().ok().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    plain.or_else(|| humantime::parse_duration(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_units_and_is_not_zero() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("0s"), Err(DurationError::Zero));
        for bad in ["", "90", "-1m", "1x"] {
            assert!(matches!(duration(bad), Err(DurationError::Unreadable(_))), "{bad}");
        }
    }

    #[test]
    fn seconds_may_have_no_unit() {
        assert_eq!(seconds("1.5"), Some(Duration::from_millis(1_500)));
        assert_eq!(seconds("1m30s"), Some(Duration::from_secs(90)));
        for bad in ["-1", "NaN", "inf", "", "1x", "1e300"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
