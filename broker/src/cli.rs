//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bg_cli::answer::Answer;
use bg_cli::guide;
use bg_cli::guide::{Guide, Wish};
use bg_cli::say::say;
use bg_cli::usage::{misused, nearest};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::approve;
use crate::commands::approve::ApproveArgs;
use crate::commands::cancel;
use crate::commands::cancel::CancelArgs;
use crate::commands::check;
use crate::commands::deny;
use crate::commands::deny::DenyArgs;
use crate::commands::extend;
use crate::commands::extend::ExtendArgs;
use crate::commands::ids;
use crate::commands::open;
use crate::commands::open::OpenArgs;
use crate::commands::reconcile;
use crate::commands::reconcile::ReconcileArgs;
use crate::commands::recover;
use crate::commands::recover::RecoverArgs;
use crate::commands::report;
use crate::commands::report::ReportArgs;
use crate::commands::request;
use crate::commands::request::RequestArgs;
use crate::commands::requests;
use crate::commands::requests::RequestsArgs;
use crate::commands::revoke;
use crate::commands::revoke::RevokeArgs;
use crate::commands::sessions;
use crate::commands::sessions::SessionsArgs;
use crate::commands::teller::Teller;
use crate::doctor;
use crate::doctor::DoctorArgs;
use crate::drill;
use crate::drill::DrillArgs;
use crate::environment::Environment;
use crate::failure::{BG_SHELL, Failure};
use crate::os::{afresh, keeper, words};
use crate::usage;
use crate::world::World;

/// A recorded break-glass shell.
///
/// Every keystroke and every byte of output goes onto a tape: a hash-chained, sealed log that anyone can verify
/// and only the holder of the opening key can read. Without a configuration, bg-shell runs in a practice world
/// below $XDG_STATE_HOME/bg-shell, with the same tape and no AWS account.
#[derive(Debug, Parser)]
#[command(name = "bg-shell", version, subcommand_negates_reqs = true, after_help = usage::MAIN)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    open: OpenArgs,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "BG_SHELL_CONFIG", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open a recorded session (the default)
    #[command(after_help = usage::MAIN)]
    Open(OpenArgs),
    /// Ask for a role: files a signed request and tells the approvers
    #[command(after_help = usage::REQUEST)]
    Request(RequestArgs),
    /// Approve a request: shows what is asked for, and signs it
    #[command(after_help = usage::APPROVE)]
    Approve(ApproveArgs),
    /// Deny a request, which ends it
    #[command(after_help = usage::DENY)]
    Deny(DenyArgs),
    /// Withdraw a request of one's own
    #[command(after_help = usage::CANCEL)]
    Cancel(CancelArgs),
    /// List requests, or show one
    #[command(after_help = usage::REQUESTS)]
    Requests(RequestsArgs),
    /// List live sessions, and those whose access is not proved closed
    #[command(after_help = usage::SESSIONS)]
    Sessions(SessionsArgs),
    /// End a session and its access, from any machine
    #[command(after_help = usage::REVOKE)]
    Revoke(RevokeArgs),
    /// Give a session more time whose evidence store is away
    #[command(after_help = usage::EXTEND)]
    Extend(ExtendArgs),
    /// Finish what a close-out could not: deny, prove, report
    #[command(after_help = usage::RECONCILE)]
    Reconcile(ReconcileArgs),
    /// Ship what a killed recorder left behind, mark those tapes recovered, close their accesses
    #[command(after_help = usage::RECOVER)]
    Recover(RecoverArgs),
    /// Show the incident report of a session
    #[command(after_help = usage::REPORT)]
    Report(ReportArgs),
    /// Check the live account against the procedure
    #[command(after_help = usage::DOCTOR)]
    Doctor(DoctorArgs),
    /// Run the whole procedure once, and measure it
    #[command(after_help = usage::DRILL)]
    Drill(DrillArgs),
    /// The configuration file
    #[command(subcommand, after_help = usage::CONFIG)]
    Config(ConfigCommand),
    #[command(flatten)]
    Guide(Guide),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read the file without using it; say what is wrong with it
    #[command(after_help = usage::CONFIG)]
    Check,
}

/// Runs the program; returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|arg| arg == words::ARGUMENT) {
        return keeper::run(args.get(2..).unwrap_or_default());
    }
    if let Some(words) = guide::asked(&args) {
        return guide::answer(Cli::command(), words, list);
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(e) => {
            let code = misused(&BG_SHELL, &e);
            if let Some(hint) = misspelt(&e) {
                say!("{hint}");
            }
            return code;
        }
    };
    let mut out = Answer::stdout();
    let done = command(cli, &args, &mut out);
    BG_SHELL.end(done, out.finish())
}

fn command(cli: Cli, args: &[OsString], out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    if let Some(Command::Guide(guide)) = &cli.command {
        return guided(guide, out);
    }
    let opens = matches!(cli.command, None | Some(Command::Open(_)));
    if opens {
        afresh::begin(args)?;
    }
    let environment = Environment { config: cli.config, ..Environment::read()? };
    let world = World::open(environment, Arc::new(Teller))?;
    let inside =
        world.environment.inside.clone().filter(|_| !opens && !world.config.roles.is_empty());
    let done = dispatch(cli.command, cli.open, &world, out);
    world.finish();
    match (inside, done) {
        (Some(session), Err(failure)) => {
            let code = BG_SHELL.report(&failure);
            say!("bg-shell: hint: this is inside session {session}, with its credentials only;");
            say!("bg-shell: hint: bg-shell works from another terminal");
            Ok(code)
        }
        (_, done) => done,
    }
}

/// A word where none belongs is a subcommand in other letters, or a command to record without its `--`.
fn misspelt(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument || word.starts_with('-') {
        return None;
    }
    let command = Cli::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    Some(match nearest(word, names, 2) {
        Some(near) => format!("bg-shell: hint: did you mean bg-shell {near}?"),
        None => {
            format!("bg-shell: hint: a command to record stands after --, as in bg-shell -- {word}")
        }
    })
}

fn dispatch(
    command: Option<Command>,
    open: OpenArgs,
    world: &World,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    match command {
        None if open.asks_for_nothing() && !world.config.roles.is_empty() => {
            Err(open::choices(world))
        }
        None => open::open(open, world),
        Some(Command::Open(args)) => open::open(args, world),
        Some(Command::Request(args)) => request::request(&args, world, out),
        Some(Command::Approve(args)) => approve::approve(&args, world, out),
        Some(Command::Deny(args)) => deny::deny(&args, world),
        Some(Command::Cancel(args)) => cancel::cancel(&args, world),
        Some(Command::Requests(args)) => requests::requests(&args, world, out),
        Some(Command::Sessions(args)) => sessions::sessions(&args, world, out),
        Some(Command::Revoke(args)) => revoke::revoke(&args, world),
        Some(Command::Extend(args)) => extend::extend(&args, world, out),
        Some(Command::Reconcile(args)) => reconcile::reconcile(&args, world, out),
        Some(Command::Recover(args)) => recover::recover(&args, world, out),
        Some(Command::Report(args)) => report::report(&args, world, out),
        Some(Command::Doctor(args)) => doctor::doctor(&args, world, out),
        Some(Command::Drill(args)) => drill::drill(&args, world, out),
        Some(Command::Config(ConfigCommand::Check)) => check::check(world, out),
        Some(Command::Guide(guide)) => guided(&guide, out),
    }
}

/// Needs no world: whoever packages the program has none.
fn guided(guide: &Guide, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    guide
        .write(Cli::command(), out)
        .map_err(|e| Failure::new(format!("cannot write {guide}")).because(e))?;
    Ok(ExitCode::SUCCESS)
}

/// Finds the ids that a completion script asks for, in the world that its command line names.
fn list(wish: &Wish, found: &mut dyn FnMut(String)) {
    let line = [OsString::from("bg-shell")].into_iter().chain(wish.globals.iter().cloned());
    let Ok(cli) = Cli::try_parse_from(line) else { return };
    let Ok(environment) = Environment::read() else { return };
    let environment = Environment { config: cli.config, ..environment };
    let Ok(world) = World::open(environment, Arc::new(Teller)) else { return };
    ids::ids(wish.ids, &world, found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subcommand_has_an_example_that_keeps_within_80_columns() {
        let cli = Cli::command();
        cli.clone().debug_assert();
        for command in cli.get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
            for line in help.lines().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }

    #[test]
    fn a_misspelt_subcommand_and_a_command_without_dashes_are_told_apart() {
        let hint = |word: &str| misspelt(&Cli::try_parse_from(["bg-shell", word]).unwrap_err());
        assert!(hint("aprove").unwrap().ends_with("did you mean bg-shell approve?"));
        assert!(hint("psql").unwrap().ends_with("bg-shell -- psql"));
        assert_eq!(hint("--aprove"), None);
    }
}
