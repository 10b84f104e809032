//! Messages that wait for one receiver: files in a private directory, bounded in number, size and age.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::dir::read_limited;
use rustix::fs::{FlockOperation, flock};

use super::message::Message;
use crate::news::{Listener, News};

/// The messages for one receiver that were not delivered yet, by this process or by any other of this host.
#[derive(Debug)]
pub struct Outbox {
    dir: PathBuf,
    listener: Arc<dyn Listener>,
}

/// The right to deliver, which one process has at a time: so messages arrive in their order.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

impl Outbox {
    /// Takes the directory of a receiver; the first message makes it.
    pub fn new(state: &Path, receiver: &str, listener: &Arc<dyn Listener>) -> Self {
        Self { dir: state.join(OUTBOX).join(receiver), listener: Arc::clone(listener) }
    }

    /// Keeps a message until it is delivered. Over the limit the oldest goes, and that is told.
    ///
    /// # Errors
    /// When it cannot be written, or is too large.
    pub fn put(&self, message: &Message) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() as u64 > ENTRY_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        for oldest in self.waiting()?.iter().rev().skip(ENTRIES_MAX - 1) {
            self.listener.hear(&News::TooMany);
            remove(oldest)?;
        }
        let path = self.dir.join(format!("{}.json", message.id));
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&bytes)?;
        fs::rename(&fresh, &path)
    }

    /// Returns the turn to deliver, unless another process has it.
    ///
    /// # Errors
    /// When there is no outbox to lock.
    pub fn turn(&self) -> io::Result<Option<Turn>> {
        let path = self.dir.join(LOCK);
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Turn(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Lists what waits, oldest first: ids sort by time. No directory: nothing does.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn waiting(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        let mut waiting: Vec<PathBuf> = paths
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        waiting.sort();
        Ok(waiting)
    }

    /// Reads a message. What is none, or is too old, is given up, and that is told: it must not block the others.
    ///
    /// # Errors
    /// When the file cannot be read or removed.
    pub fn read(&self, path: &Path) -> io::Result<Option<Message>> {
        let bytes = match read_limited(path, ENTRY_MAX) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let oldest_us = SystemClock.wall_us().saturating_sub(AGE_MAX_US);
        match serde_json::from_slice::<Message>(&bytes) {
            Ok(message) if message.at.0 >= oldest_us => return Ok(Some(message)),
            Ok(message) => {
                self.listener.hear(&News::GivenUp { text: &message.text() });
            }
            Err(_) => {
                self.listener.hear(&News::NoMessage(path));
            }
        }
        remove(path).map(|()| None)
    }
}

/// Removes what was delivered, or given up.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

const OUTBOX: &str = "notify";
const LOCK: &str = "lock";
/// The most messages that wait for one receiver.
const ENTRIES_MAX: usize = 500;
/// The most bytes of one message.
const ENTRY_MAX: u64 = 131_072;
/// How long a message is tried for.
const AGE_MAX_US: u64 = 7 * 86_400 * 1_000_000;

#[cfg(test)]
mod tests {
    use bg_recorder::stamp::Stamp;

    use super::super::message::Occasion;
    use super::*;
    use crate::news::nobody;

    #[test]
    fn what_waits_is_bounded_and_the_newest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path(), "r", &nobody());
        assert!(outbox.waiting().unwrap().is_empty());
        let messages: Vec<Message> =
            (0..=ENTRIES_MAX).map(|_| Message::new(Occasion::Closed)).collect();
        messages.iter().for_each(|message| outbox.put(message).unwrap());
        let waiting = outbox.waiting().unwrap();
        assert_eq!(waiting.len(), ENTRIES_MAX);
        assert_eq!(outbox.read(&waiting[ENTRIES_MAX - 1]).unwrap(), messages.last().cloned());
        assert_eq!(outbox.read(&waiting[0]).unwrap().as_ref(), messages.get(1));
    }

    #[test]
    fn what_is_no_message_or_too_old_blocks_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path(), "r", &nobody());
        let old = Message {
            at: Stamp(SystemClock.wall_us() - AGE_MAX_US - 1),
            ..Message::new(Occasion::Closed)
        };
        outbox.put(&old).unwrap();
        fs::write(dir.path().join("notify/r/0.json"), "{").unwrap();
        for path in outbox.waiting().unwrap() {
            assert_eq!(outbox.read(&path).unwrap(), None);
        }
        assert!(outbox.waiting().unwrap().is_empty());
        let report = "x".repeat(usize::try_from(ENTRY_MAX).unwrap());
        let large = Message { report: Some(report), ..Message::new(Occasion::Report) };
        assert!(outbox.put(&large).is_err());
    }

    #[test]
    fn one_at_a_time_has_the_turn() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path(), "r", &nobody());
        outbox.put(&Message::new(Occasion::Closed)).unwrap();
        let turn = outbox.turn().unwrap();
        assert!(turn.is_some() && outbox.turn().unwrap().is_none());
        drop(turn);
        assert!(outbox.turn().unwrap().is_some());
    }
}
