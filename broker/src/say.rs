//! What is told to a person.

use bg_recorder::stamp::Stamp;

/// Returns a time as a person reads it, in UTC, to the minute that has begun.
pub fn minute(at: Stamp) -> String {
    format!("{} UTC", at.minute())
}

/// Returns how many approvals those are.
pub fn approvals(count: u64) -> String {
    counted(count, "approval")
}

/// Returns how many of something there are, such as `1 segment`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(crate) use bg_cli::say::say;
