//! The host's count of its sessions, so that a wholly deleted one leaves a hole (FORMAT.md 5).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::format::chain::Link;
use crate::format::genesis::{At, Genesis, Host, Previous};
use crate::format::note::{Kind, NOTE_MAX, Note};
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
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(state.join("host.lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let record = match read_limited(&path, RECORD_MAX) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged", path.display()))
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Record { id: uuid::Uuid::now_v7().to_string(), last: None }
            }
            Err(e) => return Err(e),
        };
        Ok(Self { path, record, _lock: lock })
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
        let genesis: Genesis = Note::parse(Kind::Genesis, &bytes).ok()?.read().ok()?;
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

const RECORD_MAX: u64 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

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
