//! `bg-shell deny`.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct DenyArgs {}

/// Signs and files a denial.
///
/// # Errors
/// When it cannot be done.
pub fn deny(_args: &DenyArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
