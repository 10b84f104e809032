//! One file a subcommand: what it takes, what it does, in that order.

pub mod approve;
pub mod cancel;
pub mod check;
pub mod deny;
pub mod extend;
pub mod ids;
pub mod open;
pub mod orphans;
pub mod reconcile;
pub mod recover;
pub mod request;
pub mod requests;
pub mod revoke;
pub mod sessions;

use std::time::Duration;

/// Reads a duration such as `45m`.
///
/// # Errors
/// When it is none, or zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|e| format!("{e}; write it like 45m or 1h30m"))?;
    if duration.is_zero() { Err("a session needs some time".into()) } else { Ok(duration) }
}
