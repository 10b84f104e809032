//! Earlier drills: facts below `drills/`, and what they measured.

use std::fmt;

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::{Case, Fact};
use bg_recorder::note::{NOTE_MAX, Note, NoteKind};
use bg_recorder::session::SessionId;
use serde::Serialize;
use serde_json::Value;

use super::Drill;
use crate::failure::Failure;
use crate::os::user::author;
use crate::world::World;

/// What the newest drills of a role, without a fault, measured.
#[derive(Debug, Default, Serialize)]
pub struct Past {
    /// How many there were.
    pub drills: usize,
    /// How many of those passed.
    pub passed: usize,
    /// Time to access, in milliseconds.
    pub to_access: Option<Spread>,
    /// Time to revoke, in milliseconds.
    pub to_revoke: Option<Spread>,
}

/// Half of the times are at most the one, 99 of 100 at most the other.
#[derive(Debug, Serialize)]
pub struct Spread {
    /// The median.
    pub p50_ms: u64,
    /// The 99th percentile.
    pub p99_ms: u64,
}

impl Past {
    /// Reads them. A store that does not answer has no past to tell.
    pub fn read(world: &World, drill: &Drill<'_>) -> Self {
        let mut keys: Vec<String> = world
            .store()
            .list(DRILLS)
            .unwrap_or_default()
            .into_iter()
            .map(|entry| entry.key)
            .collect();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        let facts = keys.iter().take(READ_MAX).filter_map(|key| read(world, key));
        let facts: Vec<Fact> = facts
            .filter(|fact| fact.says.get("role").and_then(Value::as_str) == Some(&drill.name))
            .filter(|fact| fact.says.get("fault").is_none_or(Value::is_null))
            .collect();
        let times =
            |name: &str| facts.iter().filter_map(|fact| fact.says.get(name)?.as_u64()).collect();
        let passed = |fact: &&Fact| fact.says.get("passed") == Some(&Value::Bool(true));
        Self {
            drills: facts.len(),
            passed: facts.iter().filter(passed).count(),
            to_access: spread(times("time_to_access_ms")),
            to_revoke: spread(times("time_to_revoke_ms")),
        }
    }
}

/// Writes one down.
///
/// # Errors
/// When it cannot be stored.
pub fn write_down(world: &World, session: SessionId, says: Value) -> Result<(), Failure> {
    let keys = world.keys()?;
    let case = Case::flat(DRILLS, session, world.store());
    let name = format!("{}-{session}", SystemClock.now());
    let put = case.put(&*keys, &author(), &name, says);
    put.map(drop)
        .map_err(|e| Failure::new("cannot write the drill down").because(e).hint("see [evidence]"))
}

fn read(world: &World, key: &str) -> Option<Fact> {
    let bytes = world.store().get(key, NOTE_MAX as u64).ok()?;
    Note::parse(NoteKind::Fact, &bytes).and_then(|note| note.read()).ok()
}

/// Nearest rank.
fn spread(mut times: Vec<u64>) -> Option<Spread> {
    times.sort_unstable();
    let rank = |percent: usize| {
        times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied()
    };
    Some(Spread { p50_ms: rank(50)?, p99_ms: rank(99)? })
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.drills == 0 {
            return writeln!(f, "the first drill of this role");
        }
        writeln!(
            f,
            "earlier drills of this role: {}, of which passed: {}",
            self.drills, self.passed
        )?;
        for (what, spread) in [("access", &self.to_access), ("revoke", &self.to_revoke)] {
            if let Some(Spread { p50_ms, p99_ms }) = spread {
                writeln!(f, "time to {what}: p50 {p50_ms} ms, p99 {p99_ms} ms")?;
            }
        }
        Ok(())
    }
}

const DRILLS: &str = "drills/";
const READ_MAX: usize = 100;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let of = |times: Vec<u64>| spread(times).map(|spread| (spread.p50_ms, spread.p99_ms));
        assert_eq!(of(vec![]), None);
        assert_eq!(of(vec![7]), Some((7, 7)));
        assert_eq!(of(vec![3, 1, 2]), Some((2, 3)));
        assert_eq!(of((1..=200).rev().collect()), Some((100, 198)));
    }
}
