//! The command line, and the only place that reads the environment.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use bg_cli::answer::{Answer, recorded};
use bg_cli::duration::seconds;
use bg_cli::guide;
use bg_cli::guide::{Guide, Ids, Wish};
use bg_cli::places::Places;
use bg_cli::program::Program;
use bg_cli::usage::misused;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::audit::{verify_all, verify_one};
use crate::config::Config;
use crate::evidence::admitted::{Admitted, Extent};
use crate::evidence::auditor::Auditor;
use crate::export::cast::Cast;
use crate::export::cast3::Cast3;
use crate::export::cat::cat;
use crate::export::jsonl::Jsonl;
use crate::export::sink::{Existing, Sink};
use crate::export::text::Text;
use crate::export::{Format, Raw, export};
use crate::failure::{BG_REPLAY, BLIND, Failure};
use crate::list::{Depth, Shape, list};
use crate::play::player::{Manner, Played, play};
use crate::play::stage::Trust;
use crate::seen::seen;
use crate::usage;

/// List, play, verify and export sessions that bg-shell recorded.
#[derive(Debug, Parser)]
#[command(name = "bg-replay", version, after_help = usage::MAIN, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Trust this public signing key (PEM); may be given more than once [default: the practice world's]
    #[arg(long, value_name = "FILE", global = true)]
    trust: Vec<PathBuf>,
    /// Trust the public half of this KMS key [default: signing_key in the configuration]
    #[arg(long, value_name = "KEY", global = true, conflicts_with = "trust")]
    kms_trust: Option<String>,
    /// Open tapes with this key (PEM) [default: KMS, or the practice world's]
    #[arg(long, value_name = "FILE", global = true)]
    key: Option<PathBuf>,
    /// The configuration file of bg-shell, for its sections [aws] and [evidence]
    #[arg(long, value_name = "FILE", global = true, env = "BG_SHELL_CONFIG")]
    config: Option<PathBuf>,
    /// Look into this store: `s3://bucket/prefix`, or a directory [default: as configured]
    #[arg(long, value_name = "STORE", global = true)]
    store: Option<String>,
    /// Compare who signed for an access with this allowed_signers file [default: the role's, as configured]
    #[arg(long, value_name = "FILE", global = true)]
    allowed_signers: Option<PathBuf>,
    /// Reach the store at this endpoint, a server that speaks S3
    #[arg(long, value_name = "URL", global = true)]
    endpoint: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List sessions, newest first; nothing is verified unless asked
    Ls {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        /// Verify each session, and show its verdict
        #[arg(long)]
        verify: bool,
    },
    /// Play a session on this terminal
    Play(Play),
    /// Verify sessions; no opening key is needed
    #[command(after_help = usage::VERIFY)]
    Verify {
        /// A session's id, the beginning of one, `last`, or a directory
        #[arg(value_name = "ID|PATH", required_unless_present = "all", conflicts_with = "all")]
        session: Option<String>,
        /// Verify every session, and the host's count of them
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Write a session in a format that other programs read
    Export(Export),
    /// Write a session's output as harmless text, for grep
    Cat(Which),
    /// List the lines that were typed, and the secrets that could be seen
    #[command(after_help = usage::SEEN)]
    Seen {
        #[command(flatten)]
        which: Which,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Guide(Guide),
}

#[derive(Debug, Args)]
struct Which {
    /// A session's id, the beginning of one, `last`, or a directory
    #[arg(value_name = "ID")]
    session: String,
    /// Show what is good of a broken tape
    #[arg(long)]
    up_to_break: bool,
}

#[derive(Debug, Args)]
#[command(after_help = usage::PLAY)]
struct Play {
    #[command(flatten)]
    which: Which,
    /// So many times as fast as it was
    #[arg(long, value_name = "N", default_value = "1", allow_hyphen_values = true)]
    speed: String,
    /// No pause is longer than this: `2`, `500ms`
    #[arg(long, value_name = "DUR", allow_hyphen_values = true)]
    idle_limit: Option<String>,
    /// Begin here: `90`, `1m30s`
    #[arg(long, value_name = "TIME", default_value = "0", allow_hyphen_values = true)]
    from: String,
    /// The recorded bytes reach the terminal as they are, wherever it is large enough
    #[arg(long)]
    raw: bool,
    /// Only text, colours and cursor positions reach the terminal: the default
    #[arg(long, hide = true, conflicts_with = "raw")]
    safe: bool,
}

#[derive(Debug, Args)]
#[command(after_help = usage::EXPORT)]
struct Export {
    #[command(flatten)]
    which: Which,
    /// The format
    #[arg(long, value_enum)]
    format: FormatName,
    /// Write to this file, which must not exist yet [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Cast,
    Cast3,
    Txt,
    Jsonl,
    Raw,
}

/// Runs `bg-replay` with this process's arguments and environment.
pub fn run() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(words) = guide::asked(&args) {
        return guide::answer(Cli::command(), words, ids);
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => return misused(&BG_REPLAY, &e),
    };
    let mut out = Answer::stdout();
    let done = match &cli.command {
        Command::Guide(guide) => guided(guide, &mut out),
        command => auditor(&cli).and_then(|auditor| done(&auditor, command, &mut out)),
    };
    let program = match cli.command {
        // Whoever closed the pipe did not hear the verdict: that must not look like `intact`.
        Command::Verify { .. } => Program { hung_up: Some(BLIND), ..BG_REPLAY },
        _ => BG_REPLAY,
    };
    program.end(done, out.finish())
}

fn auditor(cli: &Cli) -> Result<Auditor, Failure> {
    let Places { practice, config_home, .. } = Places::find(|name| std::env::var_os(name));
    let mut config = Config::load(cli.config.as_deref(), config_home.as_deref())?;
    let ca = std::env::var_os("AWS_CA_BUNDLE").filter(|file| !file.is_empty());
    config.aws.trust(ca.map(PathBuf::from));
    if let Some(store) = &cli.store {
        config.elsewhere(store)?;
    }
    if let Some(endpoint) = &cli.endpoint {
        config.at(endpoint.clone());
    }
    let trust = cli.trust.clone();
    let kms_trust = cli.kms_trust.clone();
    let key = cli.key.clone();
    let allowed_signers = cli.allowed_signers.clone();
    Ok(Auditor { practice, config, trust, kms_trust, key, allowed_signers })
}

fn done(auditor: &Auditor, command: &Command, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    match command {
        Command::Ls { json, verify } => {
            let depth = if *verify { Depth::Verify } else { Depth::Glance };
            list(auditor, depth, shape(*json), out)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify { session, json, .. } => {
            let verdict = match session {
                Some(session) => verify_one(auditor, session, shape(*json), out)?,
                None => verify_all(auditor, shape(*json), out)?,
            };
            Ok(ExitCode::from(verdict.exit_code()))
        }
        Command::Play(options) => played(auditor, options),
        Command::Export(options) => exported(auditor, options),
        Command::Cat(which) => {
            with_vault(auditor, which, |vault| {
                vault.warn();
                cat(vault, Sink::stdout())
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Seen { which, json } => {
            with_vault(auditor, which, |vault| {
                vault.warn();
                seen(vault, shape(*json), out)
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Guide(guide) => guided(guide, out),
    }
}

/// Needs no evidence: whoever packages the program has none.
fn guided(guide: &Guide, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    guide
        .write(Cli::command(), out)
        .map_err(|e| Failure::new(format!("cannot write {guide}")).because(e))?;
    Ok(ExitCode::SUCCESS)
}

/// Finds the sessions that a completion script asks for, in the store that its command line names.
fn ids(wish: &Wish, found: &mut dyn FnMut(String)) {
    let program = [OsString::from("bg-replay")].into_iter();
    let line = program.chain(wish.globals.iter().cloned()).chain(["ls".into()]);
    let Ok(cli) = Cli::try_parse_from(line) else { return };
    let Ok(catalog) = auditor(&cli).and_then(|auditor| auditor.catalog()) else { return };
    if wish.ids == Ids::Sessions {
        catalog.ids(found);
    }
}

fn played(auditor: &Auditor, options: &Play) -> Result<ExitCode, Failure> {
    let manner = Manner {
        speed: speed(&options.speed)?,
        idle_us: options
            .idle_limit
            .as_deref()
            .map(|text| micros("--idle-limit", text))
            .transpose()?,
        from_us: micros("--from", &options.from)?,
        trust: if options.raw { Trust::Bytes } else { Trust::Text },
    };
    if options.safe && !recorded().is_terminal() {
        return Err(Failure::new("--safe paints on a terminal, and this is none")
            .hint("`bg-replay cat` shows harmless text"));
    }
    match with_vault(auditor, &options.which, |vault| play(vault, &manner))? {
        Played::Well => {}
        Played::Signal(signal) => signal_hook::low_level::emulate_default_handler(signal)
            .map_err(|e| Failure::new("cannot end by the signal").because(e))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn exported(auditor: &Auditor, options: &Export) -> Result<ExitCode, Failure> {
    let existing = if options.force { Existing::Replace } else { Existing::Keep };
    if options.output.is_none() && options.format == FormatName::Raw && recorded().is_terminal() {
        return Err(Failure::new("raw bytes are not written to a terminal").hint(
            "-o FILE, or a pipe; `bg-replay play` shows the session, `bg-replay cat` its text",
        ));
    }
    let format: Box<dyn Format> = match options.format {
        FormatName::Cast => Box::new(Cast),
        FormatName::Cast3 => Box::new(Cast3::default()),
        FormatName::Txt => Box::new(Text::default()),
        FormatName::Jsonl => Box::new(Jsonl),
        FormatName::Raw => Box::new(Raw),
    };
    with_vault(auditor, &options.which, |vault| {
        let sink = match &options.output {
            Some(path) => Sink::file(path, existing)?,
            None => Sink::stdout(),
        };
        vault.warn();
        export(vault, format, sink)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn with_vault<T>(
    auditor: &Auditor,
    which: &Which,
    with: impl FnOnce(&Admitted<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let place = auditor.place(&which.session)?;
    let (tape, report) = place.judged(&auditor.trusted()?)?;
    let extent = if which.up_to_break { Extent::UpToBreak } else { Extent::Whole };
    with(&Admitted::admit((&tape, report), |tape| auditor.opener(tape), extent)?)
}

fn shape(json: bool) -> Shape {
    if json { Shape::Json } else { Shape::Human }
}

fn speed(text: &str) -> Result<f64, Failure> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err(Failure::new(format!("--speed {text} is not a speed"))
            .hint("a number above 0: 1 is as it was, 2 twice as fast, 0.5 half")),
    }
}

/// Reads seconds (`90`, `1.5`) or a duration with units (`1m30s`).
fn micros(option: &str, text: &str) -> Result<u64, Failure> {
    seconds(text).and_then(|duration| u64::try_from(duration.as_micros()).ok()).ok_or_else(|| {
        Failure::new(format!("{option} {text} is not a time"))
            .hint("seconds such as 90 or 1.5, or 1m30s, 500ms")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn examples_keep_within_80_columns() {
        for help in [usage::MAIN, usage::PLAY, usage::VERIFY, usage::EXPORT, usage::SEEN] {
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() < 80, "{line}");
            }
        }
    }

    #[test]
    fn speeds_are_finite_and_above_zero() {
        for bad in ["0", "-1", "NaN", "inf", "", "x", "-0"] {
            assert!(speed(bad).is_err(), "{bad}");
        }
        assert!((speed("0.5").unwrap() - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn times_are_seconds_or_have_units() {
        for (text, us) in [
            ("90", 90_000_000),
            ("1.5", 1_500_000),
            ("1m30s", 90_000_000),
            ("500ms", 500_000),
            ("0", 0),
        ] {
            assert_eq!(micros("--from", text).unwrap(), us, "{text}");
        }
        for bad in ["-1", "NaN", "inf", "", "1x", "1e300", "99999999999999y"] {
            assert!(micros("--from", bad).is_err(), "{bad}");
        }
    }
}
