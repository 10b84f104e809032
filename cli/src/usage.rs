//! What a command line that cannot be read, or asks for help, is answered.

use std::process::ExitCode;

use bg_recorder::neutral::neutral;
use clap::error::ContextValue;

use crate::program::Program;
use crate::say;

/// Gives the help that was asked for, or tells what is wrong with the command line; returns the exit code.
pub fn misused(program: &Program, error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Our own words, in colour where there is some. Whoever closed the pipe has read enough of them.
        drop(error.print());
        return ExitCode::SUCCESS;
    }
    let text = one_line_each(error);
    let lead = if text.starts_with("error: ") { program.name } else { "" };
    let colon = if lead.is_empty() { "" } else { ": " };
    say::page(&format!("{lead}{colon}{text}"));
    ExitCode::from(program.failed)
}

/// What was typed is shown in one line, although the whole has several: it may have come from others, by a script.
fn one_line_each(error: &clap::Error) -> String {
    let mut text = error.render().to_string();
    for (_, value) in error.context() {
        if let ContextValue::String(typed) = value {
            text = text.replace(typed.as_str(), &neutral(typed));
        }
    }
    text
}

/// Returns what was probably meant by a word: the nearest one that is known, if it is no more than so many letters away.
pub fn nearest<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str>,
    far: usize,
) -> Option<&'k str> {
    let distance = |known: &'k str| (strsim::damerau_levenshtein(word, known), known);
    let (letters, known) = known.into_iter().map(distance).min()?;
    (letters <= far).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_unless_all_are_far() {
        assert_eq!(nearest("aprove", ["deny", "approve"], 2), Some("approve"));
        assert_eq!(nearest("psql", ["deny", "approve"], 2), None);
        assert_eq!(nearest("x", [], 9), None);
    }
}
