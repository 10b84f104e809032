//! What changes in the environment that a session inherits.

use std::ffi::OsString;

use bg_recorder::session::SessionId;

use crate::environment::SESSION_VARIABLE;

/// Changes to the environment that the session inherits. One of them is the endpoint's token.
#[derive(Default)]
pub struct Variables {
    /// What is set.
    pub set: Vec<(&'static str, OsString)>,
    /// What is taken away.
    pub removed: Vec<OsString>,
}

impl Variables {
    /// Returns what every session is told: which one it is.
    pub fn of(session: SessionId) -> Self {
        Self { set: vec![(SESSION_VARIABLE, session.to_string().into())], removed: Vec::new() }
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.set.iter().map(|(name, _)| *name).collect();
        write!(f, "Variables({names:?}, ..)")
    }
}
