//! What a session is for and how it runs.

use std::ffi::OsString;
use std::time::Duration;

use bg_relay::Secrets;

use crate::config::OutageConfig;
use crate::os::contain::Containment;
use crate::request::grant::GrantArgs;

/// What a session is for and how it runs: all checked.
#[derive(Debug)]
pub struct Plan {
    /// Why.
    pub reason: Option<String>,
    /// For which incident.
    pub incident: Option<String>,
    /// The role.
    pub role: String,
    /// The program with its arguments.
    pub command: Vec<OsString>,
    /// The session that this one is opened in.
    pub parent: Option<String>,
    /// How long it may last.
    pub max_duration: Duration,
    /// How its processes are to be held together, where that is said.
    pub containment: Option<Containment>,
    /// What becomes of secrets.
    pub secrets: Secrets,
    /// What it may do while the evidence store is away.
    pub outage: OutageConfig,
    /// The access that it is opened with; none in the practice world.
    pub wish: Option<GrantArgs>,
}
