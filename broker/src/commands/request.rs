//! `bg-shell request`: asks for a role.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::request::filing::{Ask, file, filed};
use crate::request::signer::SignerArgs;
use crate::world::World;
use bg_cli::answer::Answer;
use bg_cli::duration::duration;

/// What `request` takes.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// The role that is needed
    #[arg(long, value_name = "NAME")]
    pub role: String,
    /// Why it is needed; the approvers see it, and it goes into the genesis
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The incident or ticket it belongs to
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// How long the session may last, such as `45m` [default: as long as the role allows]
    #[arg(
        long = "max-duration",
        alias = "duration",
        value_name = "DURATION",
        value_parser = duration
    )]
    pub duration: Option<Duration>,
    /// Ask to open without approvals, where the role allows it: everyone is alerted
    #[arg(long)]
    pub r#override: bool,
    #[command(flatten)]
    pub signer: SignerArgs,
}

/// Files a request, and prints its id.
///
/// # Errors
/// When it cannot be filed.
pub fn request(
    args: &RequestArgs,
    world: &World,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    let ask = Ask {
        role: &args.role,
        reason: &args.reason,
        incident: args.incident.as_deref(),
        duration: args.duration,
        forced: args.r#override,
    };
    let request = file(world, &ask, &args.signer)?;
    filed(world, &request);
    out.line(&request.id.to_string());
    Ok(ExitCode::SUCCESS)
}
