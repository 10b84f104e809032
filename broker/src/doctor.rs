//! `bg-shell doctor`: the live account against the procedure.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// Checks everything.
///
/// # Errors
/// When it cannot be done.
pub fn doctor(_args: &DoctorArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
