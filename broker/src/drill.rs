//! `bg-shell drill`: the production path, measured.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct DrillArgs {}

/// Runs a drill.
///
/// # Errors
/// When it cannot be done.
pub fn drill(_args: &DrillArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
