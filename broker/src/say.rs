//! What is told to a person.

use bg_recorder::stamp::Stamp;

/// Returns a time as a person reads it, in UTC, to the minute that has begun.
pub fn minute(at: Stamp) -> String {
    format!("{} UTC", at.minute())
}

/// Returns how many approvals those are.
pub fn approvals(count: u64) -> String {
    format!("{count} approval{}", if count == 1 { "" } else { "s" })
}

pub(crate) use bg_cli::say::say;
