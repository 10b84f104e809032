//! Who runs this process.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Returns the host's name (uname(2)).
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns `user@host`, as facts name their author.
pub fn author() -> String {
    format!("{}@{}", User::current().name, host())
}

/// Returns what speaks against keeping keys and recordings below a directory: another user may change what is there. A
/// directory that is not there yet will be this user's.
pub fn objection(dir: &Path) -> Option<String> {
    let found = fs::metadata(dir).ok()?;
    let owner = found.uid();
    if owner != 0 && owner != rustix::process::getuid().as_raw() {
        return Some(format!("it belongs to {}", name(owner)));
    }
    let mode = found.permissions().mode();
    (mode & 0o1002 == 0o2).then(|| "anybody may change what is in it".to_owned())
}

/// The calling user, by the kernel's account and not by the environment's.
#[derive(Debug, Clone)]
pub struct User {
    /// The real user id.
    pub uid: u32,
    /// Its name in passwd(5), or the number.
    pub name: String,
}

impl User {
    /// Asks the kernel.
    pub fn current() -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self { uid, name: name(uid) }
    }
}

fn name(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id = fields.nth(1)?;
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}
