//! Whose a spool is: recovery, and the end of an access that goes with it, are for this host's own dead only.

use std::path::Path;

use crate::format::checkpoint::Checkpoint;
use crate::format::genesis::Genesis;
use crate::format::note::{NOTE_MAX, Note, NoteKind};
use crate::format::session::ObjectName;
use crate::format::stamp::Stamp;
use crate::record::spool::{LOCK_FILE, RESERVE_FILE};
use crate::store::dir::read_limited;
use crate::store::tape::Tape;
use crate::store::{ObjectStore, StoreError};

/// Why a spool is left alone.
#[derive(Debug, thiserror::Error)]
pub enum NotOurs {
    /// Another host's session.
    #[error("it is a session of another host ({0}), which alone may recover it")]
    Host(String),
    /// A running session.
    #[error("its tape was heard of at {0}: it may be running elsewhere")]
    Alive(Stamp),
    /// Whether it is running cannot be known.
    #[error("whether it is still running cannot be seen")]
    Unseen(#[source] StoreError),
}

/// Checks that a spool is one of this host's sessions, and that its recorder may be dead. A recorder makes its lock
/// and its reserve before all else: a spool without them was put together by somebody, and then the tape must have
/// been silent, too.
/// A spool without a genesis that can be read is nobody else's.
///
/// # Errors
/// With what speaks against it.
pub fn ours(dir: &Path, host: &str, store: &dyn ObjectStore, now_us: u64) -> Result<(), NotOurs> {
    let Some(genesis) = genesis(dir) else { return Ok(()) };
    if genesis.host.id != host {
        return Err(NotOurs::Host(genesis.host.id));
    }
    if [LOCK_FILE, RESERVE_FILE].iter().any(|mark| dir.join(mark).exists()) {
        return Ok(());
    }
    let heard = heard(&genesis, store).map_err(NotOurs::Unseen)?;
    let silence_us = genesis.limits.heartbeat_ms.saturating_mul(3_000);
    match heard {
        Some(heard) if heard.0.abs_diff(now_us) < silence_us => Err(NotOurs::Alive(heard)),
        _ => Ok(()),
    }
}

fn genesis(dir: &Path) -> Option<Genesis> {
    let bytes = read_limited(&dir.join("genesis"), NOTE_MAX as u64).ok()?;
    Note::parse(NoteKind::Genesis, &bytes).ok()?.read().ok()
}

/// Returns when a tape without end was heard of.
fn heard(genesis: &Genesis, store: &dyn ObjectStore) -> Result<Option<Stamp>, StoreError> {
    let tape = Tape::list(store, &genesis.session.prefix(genesis.created), Some(genesis.session))?;
    if tape.objects.contains_key(&ObjectName::Seal) {
        return Ok(None);
    }
    let Some(last) = tape.checkpoints().checked_sub(1) else { return Ok(Some(genesis.created)) };
    let bytes = tape.get(ObjectName::Checkpoint(last))?;
    let note = Note::parse(NoteKind::Checkpoint, &bytes).and_then(|note| note.read::<Checkpoint>());
    Ok(Some(note.map_or(genesis.created, |checkpoint| checkpoint.wall)))
}
