//! What changes in the environment that a session inherits.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;

use bg_recorder::session::SessionId;
use rustix::termios::ttyname;

use crate::environment::SESSION_VARIABLE;

/// Changes to the environment that the session inherits. One of them is the endpoint's token.
#[derive(Default)]
pub struct Variables {
    /// What is set.
    pub set: Vec<(OsString, OsString)>,
    /// What is taken away.
    pub removed: Vec<OsString>,
}

impl Variables {
    /// Returns what every session is told: which one it is.
    pub fn of(session: SessionId) -> Self {
        let mut variables = Self::default();
        variables.set(SESSION_VARIABLE, session.to_string());
        variables
    }

    /// Sets one. What is set later counts.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.set.push((name.into(), value.into()));
    }

    /// Has those that named the terminal outside name the session's: a passphrase is asked for where they say.
    ///
    /// # Errors
    /// When the session's has no name.
    pub fn name_terminal(&mut self, names: &[OsString], side: &OwnedFd) -> io::Result<()> {
        if !names.is_empty() {
            let terminal = OsString::from_vec(ttyname(side, Vec::new())?.into_bytes());
            self.set.extend(names.iter().map(|name| (name.clone(), terminal.clone())));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&OsString> = self.set.iter().map(|(name, _)| name).collect();
        write!(f, "Variables({names:?}, ..)")
    }
}
