//! The command line, and the only place that reads the environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bg_recorder::practice::Practice;
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::failure::{FAILED, Failure};
use crate::{keeper, open, recover};

/// A recorded break-glass shell.
///
/// Every keystroke and every byte of output goes onto a tape: a hash-chained, sealed log that anyone can verify
/// and only the holder of the opening key can read. Without a configuration, bg-shell runs in a practice world
/// below $XDG_STATE_HOME/bg-shell, with the same tape and no AWS account.
#[derive(Debug, Parser)]
#[command(name = "bg-shell", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    open: OpenArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open a recorded session (the default)
    #[command(after_help = EXAMPLES)]
    Open(OpenArgs),
    /// Ship what a killed recorder left behind, and mark those tapes recovered
    Recover(RecoverArgs),
}

/// What `open` takes.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Why the session is needed; goes into the genesis
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The incident or ticket it belongs to
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// The role to open; the practice world has one, `practice`
    #[arg(long, value_name = "NAME", default_value = "practice")]
    pub role: String,
    /// The shell to run instead of $SHELL
    #[arg(long, value_name = "PATH")]
    pub shell: Option<PathBuf>,
    /// How long the session may last, such as `45m` or `2h` [default: 1h, or as configured]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_duration: Option<Duration>,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "BG_SHELL_CONFIG")]
    pub config: Option<PathBuf>,
    /// Open a session inside a recorded session, knowingly
    #[arg(long)]
    pub nested: bool,
    /// A command to run instead of a shell
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
struct RecoverArgs {
    /// One JSON object a session on stdout
    #[arg(long)]
    json: bool,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "BG_SHELL_CONFIG")]
    config: Option<PathBuf>,
}

/// What the environment says.
#[derive(Debug)]
pub struct Environment {
    /// The practice world's place.
    pub practice: Practice,
    /// `$SHELL`.
    pub shell: Option<PathBuf>,
    /// `$PATH`.
    pub path: OsString,
    /// `$TERM`.
    pub term: Option<String>,
    /// The session that this process runs in, if any.
    pub inside: Option<String>,
    /// Where the user keeps configuration.
    pub config_home: Option<PathBuf>,
}

/// Runs the program; returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|arg| arg == keeper::ARGUMENT) {
        return keeper::run(args.get(2..).unwrap_or_default());
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            // Help that cannot be printed has nobody to read it.
            drop(e.print());
            return if e.use_stderr() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS };
        }
    };
    command(cli).unwrap_or_else(|failure| failure.report())
}

fn command(cli: Cli) -> Result<ExitCode, Failure> {
    let environment = environment()?;
    match cli.command {
        None => open::open(cli.open, &environment),
        Some(Command::Open(args)) => open::open(args, &environment),
        Some(Command::Recover(args)) => {
            Config::load(args.config.as_deref(), &environment)?;
            recover::recover(&environment, args.json)
        }
    }
}

fn environment() -> Result<Environment, Failure> {
    let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (xdg, home) = (path("XDG_STATE_HOME"), path("HOME"));
    let practice = Practice::find(xdg.as_deref(), home.as_deref()).ok_or_else(|| {
        Failure::new("no place for the practice world")
            .hint("set HOME, or XDG_STATE_HOME to an absolute path")
    })?;
    let config_home = path("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
    Ok(Environment {
        practice,
        shell: path("SHELL"),
        path: std::env::var_os("PATH").unwrap_or_default(),
        term: std::env::var("TERM").ok(),
        inside: std::env::var(SESSION_VARIABLE).ok(),
        config_home,
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|e| format!("{e}; write it like 45m or 1h30m"))?;
    if duration.is_zero() { Err("a session needs some time".into()) } else { Ok(duration) }
}

/// Tells a session's processes which session they are in.
pub const SESSION_VARIABLE: &str = "BG_SHELL_SESSION";

const EXAMPLES: &str = "\
Examples:
  bg-shell --reason 'disk full on db-3' --incident INC-7     a recorded shell
  bg-shell open --max-duration 30m -- psql prod              a recorded command
  echo 'df -h' | bg-shell open -- sh                         a recorded script
  bg-replay play last                                        what was recorded
  bg-replay verify last                                      that nothing is missing

Exit status: that of the session (128+n for signal n); 124 when its time was over, 125 when bg-shell itself
failed, 126 or 127 when the command cannot be run or found.";
