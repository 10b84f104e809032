//! Where an export goes: standard output, or a file that is whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bg_cli::answer::recorded;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::failure::Failure;

/// What to do where a file is already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it.
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// Takes an export's bytes.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A file that does not have its name yet.
    File(Growing),
}

/// A file under a temporary name, which is removed unless it is finished.
#[derive(Debug)]
pub struct Growing {
    file: BufWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
    existing: Existing,
}

impl Sink {
    /// Writes to standard output, which is for the bytes of a tape then.
    pub fn stdout() -> Self {
        Self::Stdout(BufWriter::new(recorded()))
    }

    /// Writes to a file.
    ///
    /// # Errors
    /// When it is there already, or cannot be made.
    pub fn file(path: &Path, existing: Existing) -> Result<Self, Failure> {
        match (fs::metadata(path), existing) {
            (Ok(meta), _) if !meta.is_file() => {
                return Err(Failure::new(format!("{} is not a regular file", path.display()))
                    .hint("without -o the export goes to standard output"));
            }
            (Ok(_), Existing::Keep) => return Err(exists(path)),
            _ => {}
        }
        let name = path
            .file_name()
            .ok_or_else(|| Failure::new(format!("{} is not a file name", path.display())))?;
        let temporary = path.with_file_name(format!(
            ".{}.bg-replay-{}",
            name.to_string_lossy(),
            std::process::id()
        ));
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|e| unwritten(path, e))?;
        Ok(Self::File(Growing {
            file: BufWriter::new(file),
            temporary,
            path: path.to_owned(),
            existing,
        }))
    }

    /// Takes bytes.
    ///
    /// # Errors
    /// When they are not taken.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Stdout(out) => out.write_all(bytes).map_err(Failure::stdout),
            Self::File(growing) => {
                growing.file.write_all(bytes).map_err(|e| unwritten(&growing.path, e))
            }
        }
    }

    /// Ends the export: a file gets its name.
    ///
    /// # Errors
    /// When it cannot be written to its end, or its name was taken meanwhile.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Stdout(mut out) => out.flush().map_err(Failure::stdout),
            Self::File(growing) => growing.finish(),
        }
    }
}

impl Growing {
    fn finish(mut self) -> Result<(), Failure> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(|e| unwritten(&self.path, e))?;
        let flags = if self.existing == Existing::Keep {
            RenameFlags::NOREPLACE
        } else {
            RenameFlags::empty()
        };
        match renameat_with(CWD, &self.temporary, CWD, &self.path, flags) {
            Err(rustix::io::Errno::EXIST) => Err(exists(&self.path)),
            // Not every file system can refuse to replace; that the name was free was checked at the start.
            Err(rustix::io::Errno::INVAL) => {
                fs::rename(&self.temporary, &self.path).map_err(|e| unwritten(&self.path, e))
            }
            Err(e) => Err(unwritten(&self.path, e.into())),
            Ok(()) => Ok(()),
        }
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // It has its name by now, or it is of no use.
        drop(fs::remove_file(&self.temporary));
    }
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!("{} exists already", path.display()))
        .hint("--force puts the new file in its place")
}

fn unwritten(path: &Path, source: io::Error) -> Failure {
    Failure::new(format!("cannot write {}", path.display())).because(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there_and_never_replaced_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.cast");
        let mut sink = Sink::file(&path, Existing::Keep).unwrap();
        sink.put(b"half").unwrap();
        assert!(!path.exists());
        drop(sink);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let late = Sink::file(&path, Existing::Keep).unwrap();
        fs::write(&path, b"meanwhile").unwrap();
        assert!(late.finish().is_err() && Sink::file(&path, Existing::Keep).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"meanwhile");
        let mut sink = Sink::file(&path, Existing::Replace).unwrap();
        sink.put(b"new").unwrap();
        sink.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn devices_and_directories_are_no_place_for_an_export() {
        for path in ["/dev/null", "/tmp"] {
            assert!(Sink::file(Path::new(path), Existing::Replace).is_err());
        }
    }
}
