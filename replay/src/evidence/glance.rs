//! What a tape says of itself at a glance. Nothing here is verified.

use bg_recorder::checkpoint::Checkpoint;
use bg_recorder::closing::{Recovery, Seal};
use bg_recorder::genesis::Genesis;
use bg_recorder::note::{Note, NoteKind};
use bg_recorder::session::ObjectName;
use bg_recorder::stamp::Stamp;
use bg_recorder::tape::Tape;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A tape's own words, where they could be read.
#[derive(Debug)]
pub struct Glance {
    /// Its first object.
    pub genesis: Option<Genesis>,
    /// By the objects that are there.
    pub state: TapeState,
    /// From the genesis to the end, as far as known.
    pub duration_us: Option<u64>,
}

/// What the objects present say of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TapeState {
    /// There is a seal.
    Sealed,
    /// There is neither.
    Open,
    /// There is a recovery.
    Recovered,
}

impl std::fmt::Display for TapeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Sealed => "sealed",
            Self::Open => "open",
            Self::Recovered => "recovered",
        })
    }
}

impl Glance {
    /// Reads the genesis, and one more note for the duration.
    pub fn of(tape: &Tape<'_>) -> Self {
        let has = |name| tape.objects.contains_key(&name);
        let state = match (has(ObjectName::Seal), has(ObjectName::Recovery)) {
            (true, _) => TapeState::Sealed,
            (false, true) => TapeState::Recovered,
            (false, false) => TapeState::Open,
        };
        let genesis: Option<Genesis> = note(tape, ObjectName::Genesis);
        let duration_us = genesis.as_ref().and_then(|genesis| duration_us(tape, genesis, state));
        Self { genesis, state, duration_us }
    }

    /// Returns when the session began.
    pub fn started(&self) -> Option<Stamp> {
        self.genesis.as_ref().map(|genesis| genesis.created)
    }

    /// Returns what the broker declared under a name, as text.
    pub fn about(&self, name: &str) -> Option<String> {
        match self.genesis.as_ref()?.about.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

/// Returns a duration for people: `4.2s`, `3m 07s`, `2h 05m`.
pub fn human_duration(us: u64) -> String {
    let s = us / 1_000_000;
    match s {
        0..60 => format!("{s}.{}s", us / 100_000 % 10),
        60..3_600 => format!("{}m {:02}s", s / 60, s % 60),
        _ => format!("{}h {:02}m", s / 3_600, s / 60 % 60),
    }
}

fn duration_us(tape: &Tape<'_>, genesis: &Genesis, state: TapeState) -> Option<u64> {
    match state {
        TapeState::Sealed => {
            note::<Seal>(tape, ObjectName::Seal)?.boot_us.checked_sub(genesis.boot_us)
        }
        TapeState::Recovered => {
            let recovery: Recovery = note(tape, ObjectName::Recovery)?;
            recovery.last_write.0.checked_sub(genesis.created.0)
        }
        TapeState::Open => {
            let last = ObjectName::Checkpoint(tape.checkpoints().checked_sub(1)?);
            note::<Checkpoint>(tape, last)?.boot_us.checked_sub(genesis.boot_us)
        }
    }
}

fn note<T: DeserializeOwned>(tape: &Tape<'_>, name: ObjectName) -> Option<T> {
    let bytes = tape.get(name).ok()?;
    Note::parse(NoteKind::of(name)?, &bytes).ok()?.read().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (us, text) in
            [(0, "0.0s"), (59_990_000, "59.9s"), (60_000_000, "1m 00s"), (7_500_000_000, "2h 05m")]
        {
            assert_eq!(human_duration(us), text);
        }
    }
}
