//! The configuration file: which one counts, and what is wrong in it, by its line and the nearest known name.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bg_recorder::neutral::neutral;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::usage::nearest;

/// Returns the file that counts: the one that was named, else the system's, else the user's.
pub fn find(named: Option<&Path>, config_home: Option<&Path>) -> Option<PathBuf> {
    let user = config_home.map(|home| home.join("bg-shell/config.toml"));
    let found =
        [Some(PathBuf::from(SYSTEM_FILE)), user].into_iter().flatten().find(|path| path.exists());
    named.map(Path::to_owned).or(found)
}

/// Reads a file's text.
///
/// # Errors
/// When it cannot be read.
pub fn text(path: &Path) -> Result<String, Failure> {
    bounded(path).map_err(|e| {
        Failure::new(format!("cannot read the configuration {}", path.display()))
            .because(e)
            .hint("--config or BG_SHELL_CONFIG names it")
    })
}

/// Reads a regular file of a size that a person writes: a device or a pipe might never end.
fn bounded(path: &Path) -> io::Result<String> {
    // A named pipe has no size, and reading it would wait for a writer.
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// Reads what a file's text says.
///
/// # Errors
/// When it is no TOML, or says something unknown; `hint` then says where to look, unless it is clear what was meant.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str, hint: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|e| {
        let before = e.span().map(|span| text.get(..span.start).unwrap_or_default());
        let line = before.map_or(0, |before| before.matches('\n').count() + 1);
        let message = neutral(&e.message().replace('\n', " "));
        let hint = meant(&message).unwrap_or_else(|| hint.to_owned());
        Failure::new(format!("{}, line {line}: {message}", path.display())).hint(hint)
    })
}

/// Finds what was probably meant in serde's "unknown field `x`, expected one of `a`, `b`".
fn meant(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown "))?;
    // Who misspells a second factor does not want to have none.
    let known = nearest(unknown, quoted.filter(|known| *known != "none"), 3)?;
    Some(format!("did you mean {known}? bg-shell config check reads a file without using it"))
}

const SYSTEM_FILE: &str = "/etc/bg-shell/config.toml";
/// The most bytes of a configuration file.
const FILE_MAX: u64 = 1 << 20;
