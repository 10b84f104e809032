//! Recovery: what a dead recorder left in its spool is shipped as it is, and the tape is given its end (FORMAT.md 10).

mod orphan;
pub mod owner;
mod remains;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::orphan::Orphan;
use self::owner::{NotOurs, ours};
use self::remains::{begun, whole_note};
use crate::clock::Clock;
use crate::format::genesis::Genesis;
use crate::format::note::{self, NOTE_MAX, Note, NoteError, NoteKind, Signature};
use crate::format::session::{ObjectName, SessionId};
use crate::keys::{KeyError, KeyService};
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
    let recovered = orphans(root, state, &**store, clock)?.into_iter().map(|(spool, lock)| {
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
    store: &dyn ObjectStore,
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
        if let Err(why) = ours(&dir, count.id(), store, clock.wall_us()) {
            orphans.push((dir, Err(RecoverError::NotOurs(why))));
            continue;
        }
        // A spool that is locked has a living recorder. One that vanishes meanwhile was finished by it.
        match spool::lock(&dir) {
            Ok(Some(lock)) if begun(&dir) => orphans.push((dir, Ok(lock))),
            // No genesis, no session: its recorder, or the machine, died before anything could happen. What
            // cannot be cleared now is looked at again by the next start.
            Ok(Some(_)) => spool::clear(&dir).unwrap_or(()),
            Ok(None) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => orphans.push((dir, Err(RecoverError::Spool(e)))),
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
    let prefix = genesis.session.prefix(genesis.created);
    let carrier = Carrier { store: Arc::clone(store), spool: dir.to_owned(), prefix };
    let known = Tape::list(&**store, &carrier.prefix, Some(genesis.session))?.objects;
    let mut orphan = Orphan::new(&genesis, &bytes, &carrier, known);
    orphan.ship(&bytes)?;
    let sealed = match whole_note(dir, ObjectName::Seal, NoteKind::Seal) {
        Some(seal) => orphan.put(ObjectName::Seal, &seal)?,
        None => orphan.sealed(keys)?,
    };
    let tape = Tape::list(&**store, &carrier.prefix, Some(genesis.session))?;
    if !sealed && !tape.objects.contains_key(&ObjectName::Recovery) {
        let recovery = orphan.recovery(&genesis, clock)?;
        let text = note::text(NoteKind::Recovery, &recovery)?;
        let signature = signature(&genesis, keys, &text)?;
        orphan.put(ObjectName::Recovery, &note::assemble(&text, &[signature]))?;
    }
    orphan.look_behind();
    let ahead = Ahead::new(Arc::clone(store));
    let tape = Tape::list(&ahead, &carrier.prefix, Some(genesis.session))?;
    let report = verify(&tape, &keys.ring().trusted(), clock.wall_us());
    let link = orphan.link;
    let fork = orphan.fork;
    if matches!(report.verdict, Verdict::Recovered | Verdict::Intact) {
        // The next session remembers where this one ended: a tail that is cut off later is seen.
        HostCount::open(state)
            .and_then(|count| count.ended(genesis.session, link))
            .map_err(|e| RecoverError::Left(report.verdict, e))?;
        spool::clear(dir).map_err(|e| RecoverError::Left(report.verdict, e))?;
    } else if let Some(fork) = fork {
        return set_aside(dir, fork, report);
    }
    Ok(report)
}

/// What cannot be shipped because somebody else's bytes stand under its name is kept beside the spools, and told: no
/// later recovery could do more.
fn set_aside(dir: &Path, fork: ObjectName, mut report: Report) -> Result<Report, RecoverError> {
    let aside = dir.with_extension("fork");
    fs::rename(dir, &aside).map_err(RecoverError::Spool)?;
    let what = format!(
        "fork: the store has other bytes under this name; what was recorded is kept in {}",
        aside.display()
    );
    let object = fork.to_string();
    report.findings.push(Finding { object, frame: None, what, weight: Weight::Fault });
    Ok(report)
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
