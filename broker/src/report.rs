//! `bg-shell report`: the incident report of a session.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ReportArgs {}

/// Shows, or writes again, a report.
///
/// # Errors
/// When it cannot be done.
pub fn report(_args: &ReportArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
