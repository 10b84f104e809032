//! The host's count of its sessions, so that a wholly deleted one leaves a hole (FORMAT.md 5).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::format::chain::Link;
use crate::format::genesis::{At, Genesis, Host, Previous};
use crate::format::note::{NOTE_MAX, Note, NoteKind};
use crate::format::session::SessionId;
use crate::store::dir::read_limited;

/// The count, locked while a session takes its place in it.
#[derive(Debug)]
pub struct HostCount {
    path: PathBuf,
    record: Record,
    _lock: File,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: String,
    last: Option<Previous>,
}

impl HostCount {
    /// Opens the count of a state directory, and begins one when there is none.
    ///
    /// # Errors
    /// When the files cannot be used, or hold something else.
    pub fn open(state: &Path) -> io::Result<Self> {
        fs::create_dir_all(state)?;
        let path = state.join("host.json");
        let lock = lock_file(&state.join("host.lock"))?;
        patiently(&lock, LOCK_PATIENCE)?.then_some(()).ok_or_else(|| held(state))?;
        match read_limited(&path, RECORD_MAX) {
            Ok(bytes) => {
                let damaged = |_| {
                    let what = format!("{} is damaged", path.display());
                    io::Error::new(io::ErrorKind::InvalidData, what)
                };
                let record = serde_json::from_slice(&bytes).map_err(damaged)?;
                Ok(Self { path, record, _lock: lock })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let record = Record { id: uuid::Uuid::now_v7().to_string(), last: None };
                let count = Self { path, record, _lock: lock };
                // Who comes next must find the same host.
                count.store()?;
                Ok(count)
            }
            Err(e) => Err(e),
        }
    }

    /// Returns the host's id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Returns the next session's place.
    pub fn next(&self, name: &str) -> Host {
        let previous = self.record.last.clone();
        let seq = previous.as_ref().map_or(1, |previous| previous.seq + 1);
        Host { id: self.record.id.clone(), name: name.to_owned(), seq, previous }
    }

    /// Takes the place: this session, with its link 0, is now the last.
    ///
    /// # Errors
    /// When the count cannot be stored.
    pub fn take(mut self, host: &Host, session: SessionId, link: Link) -> io::Result<()> {
        self.record.last = Some(Previous { session, seq: host.seq, at: At::Genesis, link });
        self.store()
    }

    /// Counts the sessions in spools that were killed after their genesis was written and before they took their
    /// place: without this, the next session would take the same one again.
    ///
    /// # Errors
    /// When the count cannot be stored.
    pub fn adopt(&mut self, spools: &[PathBuf]) -> io::Result<()> {
        let newest = spools.iter().filter_map(|dir| self.place(dir)).max_by_key(|place| place.seq);
        let counted = self.record.last.as_ref().map_or(0, |last| last.seq);
        match newest {
            Some(newest) if newest.seq > counted => {
                self.record.last = Some(newest);
                self.store()
            }
            _ => Ok(()),
        }
    }

    /// Returns the place that a spooled session has in this count.
    fn place(&self, dir: &Path) -> Option<Previous> {
        let bytes = read_limited(&dir.join("genesis"), NOTE_MAX as u64).ok()?;
        let genesis: Genesis = Note::parse(NoteKind::Genesis, &bytes).ok()?.read().ok()?;
        let place = Previous {
            session: genesis.session,
            seq: genesis.host.seq,
            at: At::Genesis,
            link: Link::genesis(&bytes),
        };
        (genesis.host.id == self.record.id).then_some(place)
    }

    /// Notes the last link of a session that ended, if it is still the last one.
    ///
    /// # Errors
    /// When the count cannot be stored.
    pub fn ended(mut self, session: SessionId, link: Link) -> io::Result<()> {
        match &mut self.record.last {
            Some(last) if last.session == session => (last.at, last.link) = (At::End, link),
            _ => return Ok(()),
        }
        self.store()
    }

    fn store(&self) -> io::Result<()> {
        let fresh = self.path.with_extension("json.new");
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(&self.record)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }
}

/// The turn to begin a session, which is kept while the genesis is signed. Unlike the count's lock it may be held while
/// a key service takes its time; so it is a courtesy between starts, and no start depends on it.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

impl Turn {
    /// Waits for the turn a little; None: somebody else keeps it for longer than that.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn wait(state: &Path) -> io::Result<Option<Self>> {
        fs::create_dir_all(state)?;
        let file = lock_file(&state.join("host.turn"))?;
        Ok(patiently(&file, TURN_PATIENCE)?.then_some(Self(file)))
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// Takes a lock as soon as it is free; returns whether that was in time.
fn patiently(file: &File, patience: Duration) -> io::Result<bool> {
    let began = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) if began.elapsed() >= patience => return Ok(false),
            Err(Errno::WOULDBLOCK) => thread::sleep(PAUSE),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn held(state: &Path) -> io::Error {
    let what = format!(
        "another bg-shell has held {} for {} s; is it stopped? see lsof(8)",
        state.join("host.lock").display(),
        LOCK_PATIENCE.as_secs()
    );
    io::Error::new(io::ErrorKind::ResourceBusy, what)
}

const RECORD_MAX: u64 = 65_536;
/// The lock is held while files are written and synced, and never while the network is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How long a start waits for the one before it, whose key service may not answer.
const TURN_PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_somebody_keeps_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let kept = HostCount::open(dir.path()).unwrap();
        let turn = Turn::wait(dir.path()).unwrap();
        assert!(turn.is_some() && Turn::wait(dir.path()).unwrap().is_none());
        let refused = HostCount::open(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("host.lock for 5 s"), "{refused}");
        drop((kept, turn));
        assert!(HostCount::open(dir.path()).is_ok() && Turn::wait(dir.path()).unwrap().is_some());
    }

    #[test]
    fn sessions_are_counted_and_linked() {
        let dir = tempfile::tempdir().unwrap();
        let a = SessionId::mint();
        let link = Link::genesis(b"a");
        let count = HostCount::open(dir.path()).unwrap();
        let host = count.next("h");
        assert_eq!((host.seq, &host.previous), (1, &None));
        count.take(&host, a, link).unwrap();
        HostCount::open(dir.path()).unwrap().ended(SessionId::mint(), Link::genesis(b"x")).unwrap();
        HostCount::open(dir.path()).unwrap().ended(a, Link::genesis(b"end")).unwrap();
        let next = HostCount::open(dir.path()).unwrap().next("h");
        assert_eq!(next.id, host.id);
        let previous = Previous { session: a, seq: 1, at: At::End, link: Link::genesis(b"end") };
        assert_eq!((next.seq, next.previous), (2, Some(previous)));
    }
}
