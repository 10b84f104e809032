//! The environment of this process, and the only place that reads it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use bg_recorder::practice::Practice;

use crate::failure::Failure;

/// What the environment says.
#[derive(Debug)]
pub struct Environment {
    /// The practice world's place.
    pub practice: Practice,
    /// `$SHELL`.
    pub shell: Option<PathBuf>,
    /// `$PATH`.
    pub path: OsString,
    /// `$TERM`.
    pub term: Option<String>,
    /// The session that this process runs in, if any.
    pub inside: Option<String>,
    /// The configuration file that was named.
    pub config: Option<PathBuf>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Where the user keeps configuration.
    pub config_home: Option<PathBuf>,
    /// The names of all `AWS_*` variables: no session inherits them.
    pub aws: Vec<OsString>,
}

impl Environment {
    /// Reads it.
    ///
    /// # Errors
    /// When it names no place for the practice world.
    pub fn read() -> Result<Self, Failure> {
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let xdg = path("XDG_STATE_HOME");
        let home = path("HOME");
        let practice = Practice::find(xdg.as_deref(), home.as_deref()).ok_or_else(|| {
            Failure::new("no place for the practice world")
                .hint("set HOME, or XDG_STATE_HOME to an absolute path")
        })?;
        let config_home =
            path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        Ok(Self {
            practice,
            shell: path("SHELL"),
            path: std::env::var_os("PATH").unwrap_or_default(),
            term: std::env::var("TERM").ok(),
            inside: std::env::var(SESSION_VARIABLE).ok(),
            config: None,
            home,
            config_home,
            aws: std::env::vars_os().map(|(name, _)| name).filter(|name| is_aws(name)).collect(),
        })
    }
}

fn is_aws(name: &OsStr) -> bool {
    name.as_encoded_bytes().get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"AWS_"))
}

/// Tells a session's processes which session they are in.
pub const SESSION_VARIABLE: &str = "BG_SHELL_SESSION";
