//! `bg-shell cancel`.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct CancelArgs {}

/// Withdraws a request.
///
/// # Errors
/// When it cannot be done.
pub fn cancel(_args: &CancelArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
