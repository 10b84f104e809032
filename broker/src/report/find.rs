//! Which session is meant: its id, the beginning of it, or `last`.

use std::collections::BTreeSet;

use bg_cli::named::{Named, beginning};
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{ObjectStore, StoreError};

use super::facts::DAY_US;
use crate::failure::Failure;

/// Finds the session. Ids begin with the time of their making, so a prefix names days to look into.
///
/// # Errors
/// When there is none, or more than one.
pub fn find(store: &dyn ObjectStore, named: &str) -> Result<SessionId, Failure> {
    if let Ok(session) = named.parse() {
        return Ok(session);
    }
    let unreadable = |e| Failure::new("cannot look for the session").because(e);
    if named == "last" {
        return last(store).map_err(unreadable)?.ok_or_else(|| {
            Failure::new("there is no session of the last 31 days").hint("name it by its id")
        });
    }
    let (from, to) = range(named).ok_or_else(|| {
        Failure::new(format!("{named:?} is no session"))
            .hint("give its id, the first 8 digits of it or more, or last")
    })?;
    let mut found = BTreeSet::new();
    for day in (from / DAY_US)..=(to / DAY_US) {
        let sessions = on(store, Stamp(day.saturating_mul(DAY_US))).map_err(unreadable)?;
        found.extend(sessions);
    }
    match beginning(named, found, SessionId::to_string) {
        Named::One(session) => Ok(session),
        Named::None => {
            Err(Failure::new(format!("there is no session {named}"))
                .hint("bg-replay ls lists them"))
        }
        Named::Several(count) => Err(Failure::new(format!("{count} sessions begin with {named}"))
            .hint("give more of its id")),
    }
}

fn last(store: &dyn ObjectStore) -> Result<Option<SessionId>, StoreError> {
    let now = SystemClock.wall_us();
    for days in 0..LAST_DAYS {
        let newest = on(store, Stamp(now.saturating_sub(days * DAY_US)))?.into_iter().next_back();
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// Returns the sessions of a day.
fn on(store: &dyn ObjectStore, day: Stamp) -> Result<BTreeSet<SessionId>, StoreError> {
    let prefix = format!("sessions/{}/", day.day());
    let listed = store.list(&prefix)?;
    let names =
        listed.iter().filter_map(|entry| entry.key.strip_prefix(&prefix)?.split('/').next());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// Returns the first and the last microsecond that ids with such a beginning can be of: 12 hex digits of
/// milliseconds, and of an id at least 8 must be given.
fn range(prefix: &str) -> Option<(u64, u64)> {
    let allowed = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '-');
    let digits: String = prefix.chars().filter(|c| *c != '-').take(12).collect();
    if !prefix.chars().all(allowed) || digits.len() < 8 {
        return None;
    }
    let bound = |fill: &str| {
        u64::from_str_radix(&format!("{digits}{}", fill.get(digits.len()..)?), 16).ok()
    };
    let from = bound("000000000000")?;
    let to = bound("ffffffffffff")?;
    Some((from.checked_mul(1_000)?, to.checked_mul(1_000)?.checked_add(DAY_US)?))
}

const LAST_DAYS: u64 = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_time() {
        let now = SystemClock.wall_us();
        let made = SessionId::mint().minted().0;
        assert!(made >= now / 1_000 * 1_000 && made < now + 60_000_000);
        let (from, to) = range("019a0000-0000").unwrap();
        assert_eq!(from, 0x019a_0000_0000 * 1_000);
        assert!(to > from);
        for bad in ["019a", "../../x", "019A0000", "zzzzzzzz", ""] {
            assert!(range(bad).is_none(), "{bad}");
        }
    }
}
