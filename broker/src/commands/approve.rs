//! `bg-shell approve`: an approval, signed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::approval::APPROVAL_NAMESPACE;
use bg_recorder::approval::sshsig::SSHSIG_MAX;
use bg_recorder::approval::statement::{Decision, Principal, STATEMENT_MAX};
use bg_recorder::dir::read_limited;
use clap::Args;

use crate::commands::confirm::confirm;
use crate::failure::Failure;
use crate::request::decide::Bench;
use crate::request::signer::SignerArgs;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The request: its id, the beginning of it, or `last`
    #[arg(value_name = "REQUEST")]
    pub id: String,
    /// Sign without asking: for scripts that have read the request
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub signer: SignerArgs,
    /// Print the statement to be signed elsewhere, with ssh-keygen -Y sign
    #[arg(long, conflicts_with_all = ["statement", "yes"])]
    pub print: bool,
    /// A statement that was signed elsewhere
    #[arg(long, value_name = "FILE", requires = "signature")]
    pub statement: Option<PathBuf>,
    /// The signature over it
    #[arg(long, value_name = "FILE", requires = "statement")]
    pub signature: Option<PathBuf>,
}

/// Signs and files an approval.
///
/// # Errors
/// When it cannot be done.
pub fn approve(
    args: &ApproveArgs,
    world: &World,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    let bench = Bench::take(world, &args.id, Decision::Approve)?;
    bench.lines().iter().for_each(|line| say!("{line}"));
    let person = match (&args.statement, &args.signature) {
        (Some(statement), Some(signature)) => by_hand(&bench, statement, signature)?,
        _ if args.print => return print(&bench, args, out),
        _ => {
            let signer = bench.signer(&args.signer)?;
            if !args.yes {
                confirm(&format!("Approve this as {}?", signer.person))?;
            }
            bench.decide(&signer)?;
            signer.person.clone()
        }
    };
    say!("bg-shell: {}", bench.tell(&person)?);
    Ok(ExitCode::SUCCESS)
}

/// Prints the exact bytes; ssh-keygen signs them wherever the key is.
fn print(bench: &Bench<'_>, args: &ApproveArgs, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    let person = match &args.signer.person {
        Some(name) => Principal::try_from(name.clone())
            .map_err(|e| Failure::new("--as names nobody").because(e))?,
        None => bench.signer(&args.signer)?.person.clone(),
    };
    let statement = bench.statement(&person)?;
    say!("bg-shell: store the line as a file, sign it, and hand both in:");
    say!("bg-shell:   ssh-keygen -Y sign -n {APPROVAL_NAMESPACE} -f KEY FILE");
    say!(
        "bg-shell:   bg-shell approve {} --statement FILE --signature FILE.sig",
        bench.dossier.request().id
    );
    out.exact(&statement);
    Ok(ExitCode::SUCCESS)
}

fn by_hand(bench: &Bench<'_>, statement: &Path, signature: &Path) -> Result<Principal, Failure> {
    let read = |path: &Path, max: usize| {
        let unreadable = format!("cannot read {}", path.display());
        read_limited(path, max as u64).map_err(|e| Failure::new(unreadable).because(e))
    };
    let statement = read(statement, STATEMENT_MAX)?;
    let signature = String::from_utf8(read(signature, SSHSIG_MAX)?).map_err(|_| {
        Failure::new(format!("{} is not an armored signature", signature.display()))
    })?;
    bench.accept(&statement, &signature)
}
