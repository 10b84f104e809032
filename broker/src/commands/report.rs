//! `bg-shell report`: shows the incident report of a session, or deactivates the keys that it found.

use std::path::PathBuf;
use std::process::ExitCode;

use bg_cli::answer::Answer;
use clap::Args;

use crate::commands::confirm::consents;
use crate::failure::Failure;
use crate::report;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The session: its id, the beginning of it, or `last`
    #[arg(value_name = "SESSION", default_value = "last")]
    pub session: String,
    /// JSON instead of Markdown
    #[arg(long)]
    pub json: bool,
    /// Make it anew from the facts, store it, and update the ticket
    #[arg(long)]
    pub write: bool,
    /// Deactivate access keys that appeared on the screen, each after a yes
    #[arg(long)]
    pub rotate: bool,
    /// Have bg-replay open the tape, for the lines that were typed and the secrets that appeared
    #[arg(long, conflicts_with = "rotate")]
    pub from_tape: bool,
    /// With --from-tape: the opening key (PEM) [default: as bg-replay finds it]
    #[arg(long, value_name = "FILE", requires = "from_tape")]
    pub key: Option<PathBuf>,
    /// With --rotate: ask nobody
    #[arg(long, requires = "rotate")]
    pub yes: bool,
}

/// Shows a stored report, or makes one from the facts.
///
/// # Errors
/// When there is no such session, or the evidence cannot be read.
pub fn report(args: &ReportArgs, world: &World, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    let session = report::find::find(&*world.store(), &args.session)?;
    if args.rotate {
        let consent = |question: &str| if args.yes { Ok(true) } else { consents(question) };
        let done = report::rotate(world, &report::of(world, session)?, &consent)?;
        return Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let taped = args.from_tape.then(|| report::taped(world, session, args.key.as_deref()));
    let (json, markdown) = report::shown(world, session, args.write, taped.transpose()?)?;
    out.page(if args.json { &json } else { &markdown });
    Ok(ExitCode::SUCCESS)
}
