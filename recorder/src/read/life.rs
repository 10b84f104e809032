//! Whether a session runs, as its tape in the evidence store tells.

use std::time::Duration;

use crate::format::checkpoint::Checkpoint;
use crate::format::genesis::Genesis;
use crate::format::note::{Note, NoteKind};
use crate::format::session::{ObjectName, SessionId};
use crate::format::stamp::Stamp;
use crate::store::tape::Tape;
use crate::store::{ObjectStore, StoreError};

/// What is seen of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// There is no tape of it.
    Unseen,
    /// It was heard of just now.
    Live {
        /// When.
        heard: Stamp,
    },
    /// It has no end, and was not heard of for a while: it was killed, or cannot reach the store.
    Silent {
        /// When it was heard of last.
        heard: Stamp,
    },
    /// Its tape has an end.
    Ended,
}

impl Life {
    /// Looks at the tape of a session. This is no verification: it decides only who is waited for.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn of(store: &dyn ObjectStore, session: SessionId, now: Stamp) -> Result<Self, StoreError> {
        let minted = session.minted();
        // The genesis is made after the id: it may be the next day already.
        let days = [session.prefix(minted), session.prefix(minted.after(A_DAY))];
        for prefix in days {
            let tape = Tape::list(store, &prefix, Some(session))?;
            if tape.objects.contains_key(&ObjectName::Genesis) {
                return of_tape(&tape, now);
            }
        }
        Ok(Self::Unseen)
    }
}

fn of_tape(tape: &Tape<'_>, now: Stamp) -> Result<Life, StoreError> {
    if [ObjectName::Seal, ObjectName::Recovery].iter().any(|end| tape.objects.contains_key(end)) {
        return Ok(Life::Ended);
    }
    let heard = match tape.checkpoints().checked_sub(1) {
        Some(last) => {
            let bytes = tape.get(ObjectName::Checkpoint(last))?;
            let note = Note::parse(NoteKind::Checkpoint, &bytes)
                .and_then(|note| note.read::<Checkpoint>());
            note.map(|checkpoint| checkpoint.wall)
        }
        None => {
            let bytes = tape.get(ObjectName::Genesis)?;
            let note =
                Note::parse(NoteKind::Genesis, &bytes).and_then(|note| note.read::<Genesis>());
            note.map(|genesis| genesis.created)
        }
    };
    // What cannot be read was not heard.
    let heard = heard.unwrap_or(Stamp(0));
    Ok(if now < heard.after(SILENCE) { Life::Live { heard } } else { Life::Silent { heard } })
}

/// A genesis is made after its id: it may be the next day already.
pub const A_DAY: Duration = Duration::from_secs(86_400);
/// Twelve heartbeats: a session whose store is slow is not one that was killed.
const SILENCE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn an_id_says_when_it_was_made() {
        let before = SystemClock.wall_us();
        let session = SessionId::mint();
        let now = SystemClock.wall_us();
        let minted = session.minted().0;
        assert!(before / 1_000 * 1_000 <= minted && minted <= now, "{before} {minted} {now}");
    }
}
