//! Who runs this process.

use std::fs;

/// Returns the host's name (uname(2)).
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns `user@host`, as facts name their author.
pub fn author() -> String {
    format!("{}@{}", User::current().name, host())
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
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let id = fields.nth(1)?;
            (id.parse() == Ok(uid)).then(|| name.to_owned())
        });
        Self { uid, name: name.unwrap_or_else(|| uid.to_string()) }
    }
}
