//! `bg-shell sessions`: live ones, and those whose access is not proved closed.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct SessionsArgs {}

/// Lists sessions.
///
/// # Errors
/// When it cannot be done.
pub fn sessions(_args: &SessionsArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
