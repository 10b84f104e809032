//! An evidence store in a directory: crash-safe create-only puts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::store::{Listed, ObjectStore, StoreError, check_key};

/// A directory that keeps objects as files of the same names.
#[derive(Debug)]
pub struct DirStore {
    root: PathBuf,
}

impl DirStore {
    /// Opens a directory, which is made by the first put.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        check_key(key)?;
        Ok(self.root.join(key))
    }

    /// Writes a file that no reader sees, then links it to its name, which fails if the name is taken
    /// (link(2)): a name is either absent or whole, also after a power cut.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        let incoming = self.root.join(INCOMING);
        make_dirs(&incoming)?;
        let temporary = incoming.join(uuid::Uuid::now_v7().to_string());
        let linked = write_synced(&temporary, bytes)
            .and_then(|()| make_dirs(parent))
            .and_then(|()| fs::hard_link(&temporary, path));
        fs::remove_file(&temporary)?;
        linked?;
        sync_dir(parent)
    }
}

impl ObjectStore for DirStore {
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(key)?;
        self.put(&path, bytes).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists(key.to_owned()),
            _ => failed("store", key, source),
        })
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.path(key)?;
        read_limited(&path, max).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing(key.to_owned()),
            io::ErrorKind::FileTooLarge => StoreError::TooLarge(key.to_owned()),
            _ => failed("read", key, source),
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let at = match prefix.trim_end_matches('/') {
            "" => self.root.clone(),
            key => self.path(key)?,
        };
        let mut entries = Vec::new();
        match walk(&self.root, &at, &mut entries) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed("list", prefix, e)),
            Ok(()) => {}
        }
        entries.sort();
        Ok(entries)
    }
}

/// Lists files below a directory. A directory is no object, so an empty one is nothing: it may be that of an
/// object that is just being stored. One that cannot be looked into, or is deeper than any object, is told by its
/// name, and costs the others nothing.
fn walk(root: &Path, at: &Path, entries: &mut Vec<Listed>) -> io::Result<()> {
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let depth = path.strip_prefix(root).unwrap_or(&path).components().count();
            let looked = if depth > DEPTH_MAX {
                Err(io::ErrorKind::InvalidFilename.into())
            } else {
                walk(root, &path, entries)
            };
            match looked {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    let key = format!("{}/", key_of(root, &path));
                    entries.push(Listed { key, len: 0, object: false });
                }
            }
        } else {
            let len = entry.metadata()?.len();
            entries.push(Listed { key: key_of(root, &path), len, object: kind.is_file() });
        }
    }
    Ok(())
}

fn key_of(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Makes a directory and its parents, each synced into its own parent.
fn make_dirs(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dirs(parent)?;
    }
    match fs::create_dir(dir) {
        // Another session of this host made it just now.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
        Ok(()) => match dir.parent() {
            Some(parent) => sync_dir(parent),
            None => Ok(()),
        },
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o440).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Reads a regular file of at most `max` bytes, without following a symlink at its end and without waiting on
/// what is no file.
pub fn read_limited(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if meta.len() > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn failed(verb: &'static str, key: &str, source: io::Error) -> StoreError {
    StoreError::Failed { verb, key: key.to_owned(), source }
}

/// More directories than lie above any object of a store.
const DEPTH_MAX: usize = 16;
const INCOMING: &str = ".incoming";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_put_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = DirStore::new(dir.path().join("evidence"));
        store.put_new("a/b", b"one").unwrap();
        assert!(matches!(store.put_new("a/b", b"two"), Err(StoreError::Exists(_))));
        assert_eq!(store.get("a/b", 9).unwrap(), b"one");
        assert!(matches!(store.get("a/b", 2), Err(StoreError::TooLarge(_))));
        assert_eq!(store.list("a/").unwrap().len(), 1);
        std::fs::create_dir(dir.path().join("evidence/a/empty")).unwrap();
        assert_eq!(store.list("a/").unwrap().len(), 1, "a directory is no object");
    }

    #[test]
    fn keys_stay_below_the_root() {
        let store = DirStore::new("/nonexistent");
        for key in ["../x", "/etc/passwd", "a/../b", "a//b", "a/", "", "./a", "a/./b"] {
            assert!(matches!(store.get(key, 1), Err(StoreError::NotAKey(_))), "{key}");
        }
    }

    #[test]
    fn one_of_many_racing_puts_wins() {
        let dir = tempfile::tempdir().unwrap();
        let store = DirStore::new(dir.path());
        let wins = std::thread::scope(|scope| {
            let puts: Vec<_> = (0..16u8)
                .map(|n| {
                    scope.spawn({
                        let store = &store;
                        move || store.put_new("claim", &[n]).is_ok()
                    })
                })
                .collect();
            puts.into_iter().filter_map(|put| put.join().ok()).filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
    }
}
