//! Recovery: what a dead recorder left in its spool is shipped as it is, and the tape is given its end (FORMAT.md 10).

mod orphan;
pub mod owner;
mod remains;
mod stored;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::orphan::Orphan;
use self::owner::{NotOurs, ours};
use self::remains::{begun, whole_note};
use self::stored::Stored;
use crate::clock::Clock;
use crate::format::genesis::Genesis;
use crate::format::note::{self, NOTE_MAX, Note, NoteError, NoteKind, Signature};
use crate::format::session::{ObjectName, SessionId};
use crate::format::sign::SigningPublic;
use crate::keys::{KeyError, KeyRing, KeyService};
use crate::read::verdict::{Finding, Report, Verdict, Weight};
use crate::read::verify::verify;
use crate::record::host::HostCount;
use crate::record::ship::{Carrier, ShipError};
use crate::record::spool;
use crate::store::ahead::Ahead;
use crate::store::dir::read_limited;
use crate::store::tape::Tape;
use crate::store::{ObjectStore, StoreError};

/// What became of one spool.
#[derive(Debug)]
pub struct Recovered {
    /// The session, where its name is one.
    pub session: Option<SessionId>,
    /// Its spool.
    pub spool: PathBuf,
    /// The verdict over the tape now, or why it could not be recovered.
    pub outcome: Result<Report, RecoverError>,
}

/// Recovers every spool below `root` whose recorder is gone; `state` is where the host counts its sessions.
///
/// # Errors
/// When the spools cannot be listed, or the count not be kept.
pub fn recover_all(
    root: &Path,
    state: &Path,
    store: &Arc<dyn ObjectStore>,
    keys: &dyn KeyService,
    clock: &dyn Clock,
) -> io::Result<Vec<Recovered>> {
    let recovered = orphans(root, state, store, keys, clock)?.into_iter().map(|(spool, lock)| {
        let session =
            spool.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let outcome = lock.and_then(|lock| {
            let report = recover(&spool, state, store, keys, clock);
            drop(lock);
            report
        });
        Recovered { session, spool, outcome }
    });
    Ok(recovered.collect())
}

/// Takes the spools whose recorders are gone. A recorder makes and locks its spool while it holds the host's count,
/// so nobody's is taken while it begins. A spool that cannot be locked is nobody's to pass over.
fn orphans(
    root: &Path,
    state: &Path,
    store: &Arc<dyn ObjectStore>,
    keys: &dyn KeyService,
    clock: &dyn Clock,
) -> io::Result<Vec<(PathBuf, Result<File, RecoverError>)>> {
    let dirs = spool::all(root)?;
    let mut orphans = Vec::new();
    if dirs.is_empty() {
        return Ok(orphans);
    }
    let mut count = HostCount::open(state)?;
    count.adopt(&dirs)?;
    for dir in dirs {
        let lock = spool::lock(&dir);
        // A spool that is locked has a living recorder; one that vanishes meanwhile was finished by its own.
        let lock = match lock {
            Ok(None) => continue,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => {
                orphans.push((dir, Err(RecoverError::Spool(e))));
                continue;
            }
            Ok(Some(lock)) => lock,
        };
        if let Err(why) = ours(&dir, count.id(), store, keys.ring(), clock.wall_us()) {
            orphans.push((dir, Err(RecoverError::NotOurs(why))));
            continue;
        }
        if begun(&dir) {
            orphans.push((dir, Ok(lock)));
        } else {
            // No genesis, no session: its recorder, or the machine, died before anything could happen. What
            // cannot be cleared now is looked at again by the next start.
            spool::clear(&dir).unwrap_or(());
        }
    }
    Ok(orphans)
}

fn recover(
    dir: &Path,
    state: &Path,
    store: &Arc<dyn ObjectStore>,
    keys: &dyn KeyService,
    clock: &dyn Clock,
) -> Result<Report, RecoverError> {
    let bytes = read_limited(&dir.join("genesis"), NOTE_MAX as u64).map_err(RecoverError::Spool)?;
    let genesis: Genesis = Note::parse(NoteKind::Genesis, &bytes)?.read()?;
    if !is_signed(&bytes, keys.ring()) {
        return Err(RecoverError::Stranger);
    }
    let prefix = genesis.session.prefix(genesis.created);
    let carrier = Carrier { store: Arc::clone(store), spool: dir.to_owned(), prefix };
    let stored = Stored::of(&carrier, &genesis, keys.ring())?;
    let mut orphan = Orphan::new(&genesis, &bytes, &carrier, stored)?;
    if orphan.put(ObjectName::Genesis, &bytes)? {
        finish(&mut orphan, &genesis, keys, clock)?;
    }
    let ahead = Ahead::new(Arc::clone(store));
    let tape = Tape::list(&ahead, &carrier.prefix, Some(genesis.session))?;
    let report = verify(&tape, &keys.ring().trusted(), clock.wall_us());
    let link = orphan.link;
    let fork = orphan.fork;
    let damaged = orphan.damaged && fork.is_none();
    match report.verdict {
        Verdict::Recovered | Verdict::Intact => {
            // The next session remembers where this one ended: a tail that is cut off later is seen.
            HostCount::open(state)
                .and_then(|count| count.ended(genesis.session, link))
                .map_err(|e| RecoverError::Left(report.verdict, e))?;
            spool::clear(dir).map_err(|e| RecoverError::Left(report.verdict, e))?;
            Ok(report)
        }
        // What the disk gives back later is shipped then.
        Verdict::Broken if damaged => Ok(report),
        Verdict::Broken => set_aside(dir, fork, report),
        Verdict::Live | Verdict::Unfinished | Verdict::Unverifiable => Ok(report),
    }
}

/// Ships what can be shipped, and gives the tape its end where it has none.
fn finish(
    orphan: &mut Orphan<'_>,
    genesis: &Genesis,
    keys: &dyn KeyService,
    clock: &dyn Clock,
) -> Result<(), RecoverError> {
    orphan.ship()?;
    let sealed = match whole_note(orphan.spool(), ObjectName::Seal, NoteKind::Seal) {
        Some(seal) => orphan.put(ObjectName::Seal, &seal)?,
        None => orphan.ends_with(ObjectName::Seal)?,
    };
    if !sealed && !orphan.ends_with(ObjectName::Recovery)? {
        let text = note::text(NoteKind::Recovery, &orphan.recovery(clock))?;
        let signature = signature(genesis, keys, &text)?;
        orphan.put(ObjectName::Recovery, &note::assemble(&text, &[signature]))?;
    }
    orphan.look_behind();
    Ok(())
}

/// A tape that is broken although all that could be shipped was is so for ever, and no later recovery could do more. What
/// its spool has is kept beside the spools, and told.
fn set_aside(
    dir: &Path,
    fork: Option<ObjectName>,
    mut report: Report,
) -> Result<Report, RecoverError> {
    let aside = dir.with_extension("fork");
    fs::rename(dir, &aside).map_err(RecoverError::Spool)?;
    let why = match fork {
        Some(_) => "fork: the store has other bytes under this name",
        None => "nothing more can be shipped",
    };
    let what = format!("{why}; what was recorded is kept in {}", aside.display());
    let object = fork.map_or_else(|| ".".to_owned(), |fork| fork.to_string());
    report.findings.push(Finding { object, frame: None, what, weight: Weight::Fault });
    Ok(report)
}

/// Returns whether a key that is taken here signed a genesis, whatever it was called then.
fn is_signed(genesis: &[u8], ring: &KeyRing) -> bool {
    let Ok(note) = Note::parse(NoteKind::Genesis, genesis) else { return false };
    let by = |key: &SigningPublic| {
        note.signatures.iter().any(|line| key.verifies_line(&line.name, note.text, line))
    };
    ring.trusted().iter().any(by)
}

/// A session that began without its key service ends without it, too: its genesis names the standby key.
fn signature(genesis: &Genesis, keys: &dyn KeyService, text: &[u8]) -> Result<Signature, KeyError> {
    let ring = keys.ring();
    let standby = ring.standby.as_ref().filter(|standby| standby.named() == genesis.keys.sign);
    match standby {
        Some(standby) => Ok(standby.line(text)?),
        None => Ok(ring.sign.line(&ring.sign_name, keys.sign(text)?)),
    }
}

/// Why a spool could not be recovered. It stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// It is not a dead session of this host.
    #[error(transparent)]
    NotOurs(NotOurs),
    /// The spool cannot be read or removed.
    #[error("cannot use the spool")]
    Spool(#[source] io::Error),
    /// All of it is in the store, and the spool cannot be removed.
    #[error("its tape is in the store ({0}), and the spool cannot be removed")]
    Left(Verdict, #[source] io::Error),
    /// The genesis in it is not one.
    #[error("the spooled genesis is not whole: {0}")]
    Note(#[from] NoteError),
    /// Another configuration's session.
    #[error("its genesis is not signed by a key that is configured here")]
    Stranger,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object could not be shipped.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// The recovery could not be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
}
