//! Which requests there are, and which of them somebody means.

use bg_cli::named::{Named, beginning_or_last};
use bg_recorder::approval::SKEW_US;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{Listed, ObjectStore};

use crate::failure::Failure;

/// Returns the ids of all requests, the oldest first.
///
/// # Errors
/// When the store cannot be listed.
pub fn ids(store: &dyn ObjectStore, now: Stamp) -> Result<Vec<SessionId>, Failure> {
    Ok(ids_of(&listed(store)?, now))
}

/// Lists all that is known of all requests.
///
/// # Errors
/// When the store cannot be listed.
pub fn listed(store: &dyn ObjectStore) -> Result<Vec<Listed>, Failure> {
    store.list(REQUESTS).map_err(|e| Failure::new("cannot list the requests").because(e))
}

/// Returns the ids of the requests among what is listed, the oldest first. An id of the future is none of ours.
pub fn ids_of(entries: &[Listed], now: Stamp) -> Vec<SessionId> {
    let id = |key: &str| key.strip_prefix(REQUESTS)?.strip_suffix("/request")?.parse().ok();
    let latest = now.0.saturating_add(SKEW_US);
    let ids = entries.iter().filter_map(|entry| id(&entry.key));
    ids.filter(|id: &SessionId| id.minted().0 <= latest).collect()
}

/// Finds a request by the beginning of its id, or by `last`.
///
/// # Errors
/// When there is none, or more than one.
pub fn find(store: &dyn ObjectStore, text: &str, now: Stamp) -> Result<SessionId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let ids = ids(store, now)?;
    let hint = "bg-shell requests --all lists them";
    match beginning_or_last(text, ids, SessionId::to_string) {
        Named::One(id) => Ok(id),
        Named::None => Err(Failure::new(format!("there is no request {text:?}")).hint(hint)),
        Named::Several(_) => {
            Err(Failure::new(format!("more than one request begins with {text:?}")).hint(hint))
        }
    }
}

/// Where requests are.
pub const REQUESTS: &str = "requests/";
