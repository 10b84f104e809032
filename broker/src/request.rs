//! `bg-shell request`, `cancel`.

use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::world::World;

/// What `request` takes.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// The role that is needed
    #[arg(long, value_name = "NAME")]
    pub role: String,
}

/// Files a request.
///
/// # Errors
/// When it cannot be filed.
pub fn request(_args: &RequestArgs, _world: &World) -> Result<ExitCode, Failure> {
    Err(Failure::new("not there yet"))
}
