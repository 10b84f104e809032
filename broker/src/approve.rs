//! `bg-shell approve`, `deny`: a decision, signed.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ApproveArgs {}

/// Signs and files an approval.
///
/// # Errors
/// When it cannot be done.
pub fn approve(_args: &ApproveArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
