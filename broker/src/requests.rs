//! `bg-shell requests`: what was asked for, and how it stands.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct RequestsArgs {}

/// Lists or shows requests.
///
/// # Errors
/// When it cannot be done.
pub fn requests(_args: &RequestsArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
