//! `bg-shell reconcile`: finishes what a close-out could not.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ReconcileArgs {}

/// Finishes pending revocations.
///
/// # Errors
/// When it cannot be done.
pub fn reconcile(_args: &ReconcileArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
