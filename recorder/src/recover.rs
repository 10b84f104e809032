//! Recovery: what a dead recorder left in its spool is shipped as it is, and the tape is given its end (FORMAT.md 10).

pub mod owner;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use self::owner::{NotOurs, ours};
use crate::clock::{Clock, boot_id};
use crate::format::chain::{Digest, Link};
use crate::format::checkpoint::Listed;
use crate::format::closing::Recovery;
use crate::format::genesis::Genesis;
use crate::format::note::{self, Kind, NOTE_MAX, Note, NoteError, Signature};
use crate::format::segment::{Header, Record, SEGMENT_MAX, Walk};
use crate::format::session::{ObjectName, SessionId};
use crate::format::stamp::Stamp;
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
    let genesis: Genesis = Note::parse(Kind::Genesis, &bytes)?.read()?;
    let prefix = genesis.session.prefix(genesis.created);
    let carrier = Carrier { store: Arc::clone(store), spool: dir.to_owned(), prefix };
    let known = Tape::list(&**store, &carrier.prefix, Some(genesis.session))?.objects;
    let mut orphan = Orphan::new(&genesis, &bytes, &carrier, known);
    orphan.ship(&bytes)?;
    let sealed = match whole_note(dir, ObjectName::Seal, Kind::Seal) {
        Some(seal) => orphan.put(ObjectName::Seal, &seal)?,
        None => orphan.sealed(keys)?,
    };
    let tape = Tape::list(&**store, &carrier.prefix, Some(genesis.session))?;
    if !sealed && !tape.objects.contains_key(&ObjectName::Recovery) {
        let recovery = orphan.recovery(&genesis, clock)?;
        let text = note::text(Kind::Recovery, &recovery)?;
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

/// A segment, as far as it is whole.
struct Segment {
    bytes: Vec<u8>,
    end: End,
}

/// Whether a segment has its end marker.
#[derive(PartialEq, Eq)]
enum End {
    There,
    Cut,
}

/// The tape as its dead recorder left it, part in the store and part in the spool.
struct Orphan<'a> {
    session: SessionId,
    carrier: &'a Carrier,
    /// What the store had: nobody else puts objects of a session whose recorder is dead and whose spool is locked.
    known: BTreeMap<ObjectName, u64>,
    link: Link,
    frames: u64,
    segments: u64,
    stored_segments: u64,
    torn_bytes: u64,
    last_write_us: u64,
    /// The newest note, and every segment after it.
    listed: Vec<Listed>,
    /// The first name under which the store has somebody else's bytes.
    fork: Option<ObjectName>,
}

impl<'a> Orphan<'a> {
    fn new(
        genesis: &Genesis,
        bytes: &[u8],
        carrier: &'a Carrier,
        known: BTreeMap<ObjectName, u64>,
    ) -> Self {
        Self {
            session: genesis.session,
            carrier,
            known,
            link: Link::genesis(bytes),
            frames: 0,
            segments: 0,
            stored_segments: 0,
            torn_bytes: 0,
            last_write_us: genesis.created.0,
            listed: vec![(ObjectName::Genesis, Digest::of(bytes))],
            fork: None,
        }
    }

    /// Ships an object; returns whether it is in the store. Where somebody else's bytes are, ours cannot be.
    fn put(&mut self, name: ObjectName, bytes: &[u8]) -> Result<bool, RecoverError> {
        match self.carrier.put(name, bytes) {
            Ok(()) => Ok(true),
            Err(ShipError::Fork(_)) => {
                self.fork.get_or_insert(name);
                Ok(false)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Returns whether the store has a seal of this session that a trusted key signed: another one ends nothing.
    fn sealed(&mut self, keys: &dyn KeyService) -> Result<bool, RecoverError> {
        let Some(bytes) = self.stored(ObjectName::Seal)? else { return Ok(false) };
        let ours = Note::parse(Kind::Seal, &bytes).is_ok_and(|note| {
            note.signatures.last().is_some_and(|line| keys.ring().vouches(note.text, line))
        });
        if !ours {
            self.fork.get_or_insert(ObjectName::Seal);
        }
        Ok(ours)
    }

    /// Ships what is missing in the store, in order, and follows the chain over all of it.
    fn ship(&mut self, genesis: &[u8]) -> Result<(), RecoverError> {
        self.carrier.put(ObjectName::Genesis, genesis)?;
        loop {
            let before = (self.link, self.frames);
            let Some(Segment { bytes, end }) = self.segment()? else { return Ok(()) };
            let name = ObjectName::Segment(self.segments);
            if !self.put(name, &bytes)? {
                (self.link, self.frames) = before;
                return Ok(());
            }
            self.listed.push((name, Digest::of(&bytes)));
            let number = self.segments;
            self.segments += 1;
            // A checkpoint that the disk kept, of a segment whose end it did not keep, is of another segment now.
            if end == End::Cut {
                return Ok(());
            }
            let Some(checkpoint) = self.checkpoint(number)? else { return Ok(()) };
            let name = ObjectName::Checkpoint(number);
            if !self.put(name, &checkpoint)? {
                return Ok(());
            }
            self.listed = vec![(name, Digest::of(&checkpoint))];
        }
    }

    /// A segment behind the last is somebody else's, too: it cannot be taken away, nor be shipped over.
    fn look_behind(&mut self) {
        let behind =
            |name: &&ObjectName| matches!(name, ObjectName::Segment(n) if *n >= self.segments);
        if let Some(name) = self.known.keys().find(behind) {
            self.fork.get_or_insert(*name);
        }
    }

    /// Returns the next segment, without a torn tail.
    fn segment(&mut self) -> Result<Option<Segment>, RecoverError> {
        let name = ObjectName::Segment(self.segments);
        let spooled = self.spooled(name)?;
        let stored = self.stored(name)?;
        let foreign = spooled.is_none() && stored.is_some();
        let there = stored.is_some();
        let mut bytes = match (spooled, stored) {
            // It was shipped before the disk had all of it, and then the power went.
            (Some(spooled), Some(stored)) if self.continues(&stored, &spooled) => stored,
            (Some(bytes), _) | (None, Some(bytes)) => bytes,
            (None, None) => return Ok(None),
        };
        let Some((walk, end)) = self.walk(&bytes) else {
            if foreign {
                self.fork.get_or_insert(name);
            } else {
                self.torn_bytes += bytes.len() as u64;
            }
            return Ok(None);
        };
        if there {
            self.stored_segments = self.segments + 1;
        }
        (self.link, self.frames) = (walk.link(), walk.frames());
        if end == End::Cut {
            self.torn_bytes += (bytes.len() - walk.whole_len()) as u64;
            bytes.truncate(walk.whole_len());
        }
        Ok(Some(Segment { bytes, end }))
    }

    fn spooled(&mut self, name: ObjectName) -> Result<Option<Vec<u8>>, RecoverError> {
        let path = self.carrier.spool.join(name.to_string());
        match read_limited(&path, SEGMENT_MAX) {
            Ok(bytes) => self.written(&path).map(|()| Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(RecoverError::Spool(e)),
        }
    }

    /// Returns whether a stored segment begins with all that is whole of the spooled one.
    fn continues(&self, stored: &[u8], spooled: &[u8]) -> bool {
        let whole = self.walk(spooled).map_or(0, |(walk, _)| walk.whole_len());
        spooled.get(..whole).is_some_and(|whole| stored.starts_with(whole))
    }

    /// Follows the chain through the whole records of a segment that is the next.
    fn walk(&self, bytes: &[u8]) -> Option<(Walk, End)> {
        let (header, head) = Header::decode(bytes).ok()?;
        let ours = (header.session, header.segment, header.previous, header.first_frame);
        if ours != (self.session, self.segments, self.link, self.frames) {
            return None;
        }
        let mut walk = Walk::new(&header, head);
        loop {
            match walk.step(bytes) {
                Ok(Record::Frame { .. }) => {}
                Ok(Record::End) => return Some((walk, End::There)),
                // What follows the last whole record was never accepted: a torn write, or blocks that a power
                // cut left without content.
                Ok(Record::Cut { .. }) | Err(_) => return Some((walk, End::Cut)),
            }
        }
    }

    fn checkpoint(&self, number: u64) -> Result<Option<Vec<u8>>, RecoverError> {
        let name = ObjectName::Checkpoint(number);
        match whole_note(&self.carrier.spool, name, Kind::Checkpoint) {
            Some(bytes) => Ok(Some(bytes)),
            None => self.stored(name),
        }
    }

    fn stored(&self, name: ObjectName) -> Result<Option<Vec<u8>>, RecoverError> {
        if !self.known.contains_key(&name) {
            return Ok(None);
        }
        match self.carrier.store.get(&format!("{}{name}", self.carrier.prefix), SEGMENT_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(e) => Err(RecoverError::Store(e)),
        }
    }

    fn written(&mut self, path: &Path) -> Result<(), RecoverError> {
        let modified =
            fs::metadata(path).and_then(|meta| meta.modified()).map_err(RecoverError::Spool)?;
        let age = modified
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(0));
        self.last_write_us = self.last_write_us.max(age);
        Ok(())
    }

    fn recovery(&self, genesis: &Genesis, clock: &dyn Clock) -> Result<Recovery, RecoverError> {
        let boot_id = boot_id().map_err(RecoverError::Spool)?;
        let reason = if boot_id == genesis.boot_id {
            "the recorder ended without sealing: killed, or crashed"
        } else {
            "the host restarted while the session ran"
        };
        Ok(Recovery {
            session: self.session,
            recovered: Stamp(clock.wall_us()),
            boot_id,
            reason: reason.into(),
            segments: self.segments,
            frames: self.frames,
            link: self.link,
            torn_bytes: self.torn_bytes,
            stored_segments: self.stored_segments,
            last_write: Stamp(self.last_write_us),
            objects: self.listed.clone(),
        })
    }
}

/// Returns whether a spool holds a session: a genesis that is whole or is not ours to judge, or anything that a
/// recorder writes after one.
fn begun(dir: &Path) -> bool {
    let genesis = match read_limited(&dir.join(ObjectName::Genesis.to_string()), NOTE_MAX as u64) {
        Ok(bytes) => Note::parse(Kind::Genesis, &bytes).is_ok(),
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    };
    let filled =
        |part: &str| fs::read_dir(dir.join(part)).is_ok_and(|mut entries| entries.next().is_some());
    genesis
        || filled("segments")
        || filled("checkpoints")
        || dir.join(ObjectName::Seal.to_string()).exists()
}

/// Reads a spooled note, if it is there and whole: a torn one was never shipped.
fn whole_note(dir: &Path, name: ObjectName, kind: Kind) -> Option<Vec<u8>> {
    let bytes = read_limited(&dir.join(name.to_string()), NOTE_MAX as u64).ok()?;
    Note::parse(kind, &bytes).is_ok().then_some(bytes)
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
