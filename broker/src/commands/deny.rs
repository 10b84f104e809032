//! `bg-shell deny`: the first denial ends a request.

use std::process::ExitCode;

use bg_cli::say::say;
use bg_recorder::approval::statement::Decision;
use clap::Args;

use crate::commands::confirm::confirm;
use crate::failure::{BG_SHELL, Failure};
use crate::request::decide::Bench;
use crate::request::signer::SignerArgs;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// The request: its id, the beginning of it, or `last`
    #[arg(value_name = "REQUEST")]
    pub id: String,
    /// Sign without asking
    #[arg(long)]
    pub yes: bool,
    /// Why: the requester sees it, and who is notified
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub signer: SignerArgs,
}

/// Signs and files a denial.
///
/// # Errors
/// When it cannot be done.
pub fn deny(args: &DenyArgs, world: &World) -> Result<ExitCode, Failure> {
    let bench = Bench::take(world, &args.id, Decision::Deny)?;
    bench.lines().iter().for_each(|line| say!("{line}"));
    let signer = bench.signer(&args.signer)?;
    if !args.yes {
        confirm(&format!("Deny this as {}?", signer.person))?;
    }
    bench.decide(&signer)?;
    if let Some(reason) = &args.reason {
        // The denial stands, with its reason or without.
        bench.because(&signer.person, reason).unwrap_or_else(|failure| BG_SHELL.tell(&failure));
    }
    say!("bg-shell: {}", bench.tell(&signer.person)?);
    Ok(ExitCode::SUCCESS)
}
