//! The spool: where objects grow before they are shipped, synced by a thread of its own (FORMAT.md 11).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

use crate::format::session::{ObjectName, SessionId};
use crate::record::mark::Mark;
use crate::record::sync::Syncer;

/// One session's spool directory, held by a lock as long as its recorder lives.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    /// The directories of notes, segments and checkpoints, to be synced.
    dirs: [Arc<File>; 3],
    growing: Option<Growing>,
    syncer: Syncer,
    reserve: Option<PathBuf>,
    _lock: File,
}

#[derive(Debug)]
struct Growing {
    file: Arc<File>,
    len: u64,
}

impl Spool {
    /// Makes the spool of a new session, with its reserve of [`RESERVE_LEN`] bytes.
    ///
    /// # Errors
    /// When it cannot be made, or the reserve cannot be had.
    pub fn create(root: &Path, session: SessionId, mark: &Mark, sync_ms: u64) -> io::Result<Self> {
        let dir = root.join(session.to_string());
        make_dir(&dir)?;
        let lock =
            lock(&dir)?.ok_or_else(|| io::Error::other("another process holds this spool"))?;
        lock.write_all_at(mark.bytes(), 0)?;
        lock.sync_all()?;
        make_dir(&dir.join("segments"))?;
        make_dir(&dir.join("checkpoints"))?;
        let reserve = dir.join(RESERVE_FILE);
        let file = new_file(&reserve)?;
        fallocate(&file, FallocateFlags::empty(), 0, RESERVE_LEN)?;
        let open = |dir: &Path| File::open(dir).map(Arc::new);
        let dirs = [open(&dir)?, open(&dir.join("segments"))?, open(&dir.join("checkpoints"))?];
        let syncer = Syncer::start(sync_ms)?;
        Ok(Self { dir, dirs, growing: None, syncer, reserve: Some(reserve), _lock: lock })
    }

    /// Begins an object that grows. One of this name that an earlier try left unfinished is begun anew.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn begin(&mut self, name: ObjectName) -> io::Result<()> {
        let path = self.path(name);
        let file = Arc::new(new_file(&path)?);
        self.syncer.directory(Arc::clone(self.parent(name)));
        self.growing = Some(Growing { file, len: 0 });
        Ok(())
    }

    /// Appends to the growing object. When this returns, the bytes survive the death of this process; within
    /// the sync bound they survive the machine's.
    ///
    /// # Errors
    /// When not all could be written, or an earlier sync failed. The object keeps what it had before.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.syncer.check()?;
        let growing =
            self.growing.as_mut().ok_or_else(|| io::Error::other("no object is growing"))?;
        // At its place, not at a cursor: that would stay behind a part that a full disk took and that was cut off.
        if let Err(e) = growing.file.write_all_at(bytes, growing.len) {
            growing.file.set_len(growing.len)?;
            return Err(e);
        }
        growing.len += bytes.len() as u64;
        self.syncer.dirty(&growing.file);
        Ok(())
    }

    /// Ends the growing object; its sync begins at once. Returns its bytes' count.
    pub fn close(&mut self) -> u64 {
        let Some(growing) = self.growing.take() else { return 0 };
        self.syncer.closed(growing.file);
        growing.len
    }

    /// Writes a whole object.
    ///
    /// # Errors
    /// When it cannot be written; a part of it may be left, and is no note.
    pub fn put(&mut self, name: ObjectName, bytes: &[u8]) -> io::Result<()> {
        self.begin(name)?;
        self.append(bytes)?;
        self.close();
        Ok(())
    }

    /// Gives the reserve back to the disk, for the last frames and the seal.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn release_reserve(&mut self) -> io::Result<()> {
        if let Some(reserve) = self.reserve.take() {
            fs::remove_file(reserve)?;
        }
        Ok(())
    }

    /// Waits until all that was written is on stable storage.
    ///
    /// # Errors
    /// When a sync failed.
    pub fn settle(&mut self) -> io::Result<()> {
        self.syncer.settle()
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes the spool: everything in it is in the store and was read back.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        clear(&self.dir)
    }

    fn parent(&self, name: ObjectName) -> &Arc<File> {
        let [notes, segments, checkpoints] = &self.dirs;
        match name {
            ObjectName::Segment(_) => segments,
            ObjectName::Checkpoint(_) => checkpoints,
            ObjectName::Genesis | ObjectName::Seal | ObjectName::Recovery => notes,
        }
    }

    fn path(&self, name: ObjectName) -> PathBuf {
        self.dir.join(name.to_string())
    }
}

/// Lists the spools below `root`: one for each session that has not ended, or has not ended properly. What is
/// not a directory named by a session id is not ours, and is not touched; nor is what a symlink points to.
///
/// # Errors
/// When they cannot be listed.
pub fn all(root: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(root) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => {
            let ours = |entry: &fs::DirEntry| {
                let named = entry
                    .file_name()
                    .to_str()
                    .is_some_and(|name| name.parse::<SessionId>().is_ok());
                named && entry.file_type().is_ok_and(|kind| kind.is_dir())
            };
            entries?
                .filter(|entry| entry.as_ref().map_or(true, ours))
                .map(|entry| Ok(entry?.path()))
                .collect()
        }
    }
}

/// Takes the lock of a spool, if nobody lives there (flock(2): the kernel drops it with its process).
///
/// # Errors
/// When the lock file cannot be opened.
pub fn lock(dir: &Path) -> io::Result<Option<File>> {
    let path = dir.join(LOCK_FILE);
    let file =
        match OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path) {
            // A file system turns read-only when its disk fails: what it still gives back must get out of it.
            Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path)?,
            opened => opened?,
        };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Removes a spool whose lock is held. The genesis goes when nothing else is left that it speaks of, and the lock goes
/// last: until then nobody takes what is left.
///
/// # Errors
/// When a file cannot be removed.
pub fn clear(dir: &Path) -> io::Result<()> {
    let genesis = ObjectName::Genesis.to_string();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != LOCK_FILE && entry.file_name() != genesis.as_str() {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_file(dir.join(genesis)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::remove_file(dir.join(LOCK_FILE))?;
    match fs::remove_dir(dir) {
        // A recovery came between the two: it has found nothing, and clears what it made.
        Err(e)
            if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
        {
            Ok(())
        }
        removed => removed,
    }
}

fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Bytes that a recorder sets aside in its spool before it begins.
const RESERVE_FILE: &str = "reserve";
/// What a recorder makes before all else in its spool, and holds locked as long as it lives.
pub const LOCK_FILE: &str = "lock";
/// Bytes set aside at the start, so that a session on a full disk can still be closed properly.
pub const RESERVE_LEN: u64 = 2_097_152;
