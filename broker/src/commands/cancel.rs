//! `bg-shell cancel`: who asked withdraws.

use std::process::ExitCode;

use bg_cli::say::say;
use bg_recorder::approval::statement::Decision;
use clap::Args;

use crate::failure::Failure;
use crate::request::decide::Bench;
use crate::request::signer::SignerArgs;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The request: its id, the beginning of it, or `last`
    #[arg(value_name = "REQUEST")]
    pub id: String,
    #[command(flatten)]
    pub signer: SignerArgs,
}

/// Withdraws a request.
///
/// # Errors
/// When it cannot be done.
pub fn cancel(args: &CancelArgs, world: &World) -> Result<ExitCode, Failure> {
    let bench = Bench::take(world, &args.id, Decision::Cancel)?;
    let requester = bench.dossier.request().requester.to_string();
    let person = args.signer.person.clone().or(Some(requester.clone()));
    let signer =
        bench.signer(&SignerArgs { person, key: args.signer.key.clone() }).map_err(|e| {
            e.hint(format!(
            "only {requester}, who asked, can withdraw it; an approver ends it with bg-shell deny"
        ))
        })?;
    bench.decide(&signer)?;
    say!("bg-shell: {}", bench.tell(&signer.person)?);
    Ok(ExitCode::SUCCESS)
}
