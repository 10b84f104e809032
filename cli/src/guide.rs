//! Ways in for whoever has only the program: manual pages and completion scripts, made of the command line's own
//! definition.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Command, Subcommand};

use crate::answer::Answer;
use crate::completion;
use crate::completion::Shell;
use crate::manual;
pub use crate::offer::{Ids, Wish};
use crate::offer::{QUESTION, offer};

/// The two subcommands that both programs have.
#[derive(Debug, Subcommand)]
pub enum Guide {
    /// Write the manual pages into a directory
    #[command(after_help = MAN)]
    Man {
        /// The directory; it is made where it is not there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print a script that completes this program's command line
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell that reads the script
        #[arg(value_enum)]
        shell: Shell,
    },
}

impl Guide {
    /// Writes what was asked for: pages into their directory, a script as the answer.
    ///
    /// # Errors
    /// When the pages cannot be written.
    pub fn write(&self, program: Command, out: &mut Answer<'_>) -> io::Result<()> {
        match self {
            Self::Man { dir } => manual::write(program, dir),
            Self::Completions { shell } => {
                out.exact(completion::script(*shell, program).as_bytes());
                Ok(())
            }
        }
    }
}

impl fmt::Display for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Man { dir } => write!(f, "the manual pages into {}", dir.display()),
            Self::Completions { .. } => f.write_str("the completion script"),
        }
    }
}

/// Returns the words that a completion script asks about, where this is its question: `PROGRAM complete-ids WORDS`.
pub fn asked(args: &[OsString]) -> Option<&[OsString]> {
    let (question, words) = args.get(1..)?.split_first()?;
    (question == QUESTION).then_some(words)
}

/// Answers a completion script, which takes silence for an answer, too.
pub fn answer(
    program: Command,
    words: &[OsString],
    list: impl FnOnce(&Wish, &mut dyn FnMut(String)) + Send + 'static,
) -> ExitCode {
    // A shell that is gone completes nothing.
    drop(offer(program, words, list, &mut io::stdout().lock()));
    ExitCode::SUCCESS
}

const MAN: &str = "\
One page for the program and one for each of its subcommands, made of what --help says.

Examples:
  bg-shell man ~/.local/share/man/man1
  bg-replay man ~/.local/share/man/man1
  man bg-shell-open";

const COMPLETIONS: &str = "\
Ids of sessions and requests are completed, too: the script asks the program for them.

Examples:
  . <(bg-shell completions bash)                   in ~/.bashrc
  bg-shell completions zsh > ~/.zfunc/_bg-shell    a directory of $fpath
  bg-shell completions fish > ~/.config/fish/completions/bg-shell.fish

bg-replay completions makes the scripts of bg-replay.";
