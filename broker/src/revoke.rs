//! `bg-shell revoke`: the kill switch, from anywhere.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct RevokeArgs {}

/// Ends a session and its access.
///
/// # Errors
/// When it cannot be done.
pub fn revoke(_args: &RevokeArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
