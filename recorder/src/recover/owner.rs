//! Whose a spool is: recovery, and the end of an access that goes with it, are for this host's own dead only.

use std::path::Path;
use std::sync::Arc;

use crate::format::checkpoint::Checkpoint;
use crate::format::genesis::Genesis;
use crate::format::note::{NOTE_MAX, Note, NoteKind};
use crate::format::session::ObjectName;
use crate::format::sign::SessionPublic;
use crate::format::stamp::Stamp;
use crate::keys::KeyRing;
use crate::record::mark::is_marked;
use crate::record::spool::LOCK_FILE;
use crate::store::abreast::Abreast;
use crate::store::dir::read_limited;
use crate::store::tape::Tape;
use crate::store::{ObjectStore, StoreError};

/// Why a spool is left alone.
#[derive(Debug, thiserror::Error)]
pub enum NotOurs {
    /// Another host's session.
    #[error("it is a session of another host ({0}), which alone may recover it")]
    Host(String),
    /// Its recorder ran here, by its mark, under another id.
    #[error("it is a session of host {0}, by which id this one is not known any more")]
    Renamed(String),
    /// A running session.
    #[error("its tape was heard of at {0}: it may be running elsewhere")]
    Alive(Stamp),
    /// Whether it is running cannot be known.
    #[error("whether it is still running cannot be seen")]
    Unseen(#[source] StoreError),
}

/// Checks that a spool is one of this host's sessions, and that its recorder may be dead. A recorder leaves its mark in
/// the lock of its spool before all else, and the genesis names its digest: a spool without it was put together by
/// somebody, and then the tape must have been silent, too.
/// A spool without a genesis that can be read is nobody else's.
///
/// # Errors
/// With what speaks against it.
pub fn ours(
    dir: &Path,
    host: &str,
    store: &Arc<dyn ObjectStore>,
    ring: &KeyRing,
    now_us: u64,
) -> Result<(), NotOurs> {
    let Some(genesis) = genesis(dir) else { return Ok(()) };
    let mark = read_limited(&dir.join(LOCK_FILE), MARK_MAX).unwrap_or_default();
    let marked = is_marked(&genesis.about, &mark);
    match (genesis.host.id == host, marked) {
        (true, true) => return Ok(()),
        (true, false) => {}
        (false, true) => return Err(NotOurs::Renamed(genesis.host.id)),
        (false, false) => return Err(NotOurs::Host(genesis.host.id)),
    }
    let heard = heard(&genesis, store, ring).map_err(NotOurs::Unseen)?;
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

/// Returns when a tape without end was heard of: what anybody can write into the store says nothing of that, only what
/// the keys of the session signed does.
fn heard(
    genesis: &Genesis,
    store: &Arc<dyn ObjectStore>,
    ring: &KeyRing,
) -> Result<Option<Stamp>, StoreError> {
    let prefix = genesis.session.prefix(genesis.created);
    let tape = Tape::list(&**store, &prefix, Some(genesis.session))?;
    if is_sealed(&tape, ring)? {
        return Ok(None);
    }
    let mut heard = genesis.created;
    let mut key = genesis.keys.session;
    let names: Vec<ObjectName> = (0..tape.checkpoints()).map(ObjectName::Checkpoint).collect();
    for some in names.chunks(AT_ONCE) {
        let keys = some.iter().map(|name| format!("{prefix}{name}"));
        let near = Abreast::read(Arc::clone(store), keys, NOTE_MAX as u64);
        for name in some {
            let bytes = match near.get(&format!("{prefix}{name}"), NOTE_MAX as u64) {
                Ok(bytes) => bytes,
                Err(StoreError::Missing(_) | StoreError::TooLarge(_)) => return Ok(Some(heard)),
                Err(e) => return Err(e),
            };
            let Some(checkpoint) = signed(genesis, key, &bytes) else { return Ok(Some(heard)) };
            heard = checkpoint.wall;
            key = checkpoint.next;
        }
    }
    Ok(Some(heard))
}

fn is_sealed(tape: &Tape<'_>, ring: &KeyRing) -> Result<bool, StoreError> {
    if !tape.objects.contains_key(&ObjectName::Seal) {
        return Ok(false);
    }
    match tape.get(ObjectName::Seal) {
        Ok(bytes) => Ok(vouched(NoteKind::Seal, &bytes, ring)),
        Err(StoreError::Missing(_) | StoreError::TooLarge(_)) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Returns whether a trusted key signed the last line of a note.
pub(super) fn vouched(kind: NoteKind, bytes: &[u8], ring: &KeyRing) -> bool {
    Note::parse(kind, bytes)
        .is_ok_and(|note| note.signatures.last().is_some_and(|line| ring.vouches(note.text, line)))
}

/// Returns what a checkpoint says, if this key of the session signed it.
pub(super) fn signed(genesis: &Genesis, key: SessionPublic, bytes: &[u8]) -> Option<Checkpoint> {
    let note = Note::parse(NoteKind::Checkpoint, bytes).ok()?;
    let [line] = note.signatures.as_slice() else { return None };
    if !key.verifies(genesis.session, note.text, line) {
        return None;
    }
    note.read().ok()
}

const MARK_MAX: u64 = 256;
/// How many checkpoints are read at once.
const AT_ONCE: usize = 128;
