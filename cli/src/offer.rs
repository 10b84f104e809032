//! Which ids could stand where the cursor is.

use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Arg, Command};

/// What an argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// A session.
    Sessions,
    /// A request.
    Requests,
}

/// What a person is about to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What it names.
    pub ids: Ids,
    /// The options before it that hold for every subcommand, with their values.
    pub globals: Vec<OsString>,
    begins: String,
}

/// Writes the ids that could stand where the cursor is, as `list` finds them, and waits a moment at most.
///
/// # Errors
/// When nobody reads them.
pub fn offer(
    program: Command,
    words: &[OsString],
    list: impl FnOnce(&Wish, &mut dyn FnMut(String)) + Send + 'static,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(wish) = Wish::of(program, words) else { return Ok(()) };
    let begins = wish.begins.clone();
    let (sender, found) = mpsc::channel();
    // A store that is slow, or away, holds up no prompt: its thread ends with the program.
    thread::spawn(move || {
        list(&wish, &mut |id| {
            // Whoever no longer listens has waited long enough.
            drop(sender.send(id));
        });
    });
    let until = Instant::now() + PATIENCE;
    while let Ok(id) = found.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if id.starts_with(&begins) {
            writeln!(out, "{id}")?;
        }
    }
    out.flush()
}

impl Wish {
    /// Reads the words of a command line without the program's name; the last one is being typed.
    fn of(mut program: Command, words: &[OsString]) -> Option<Self> {
        program.build();
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        let words = words?;
        let (begins, before) = words.split_last()?;
        let mut line = Line::new(&program);
        for word in before {
            line.read(word)?;
        }
        let begins = begins.strip_prefix('=').unwrap_or(begins);
        let ids = Ids::of(line.next(begins)?)?;
        Some(Self { ids, globals: line.globals, begins: begins.to_owned() })
    }
}

impl Ids {
    /// The definitions call an argument by what it names.
    fn of(arg: &Arg) -> Option<Self> {
        let named = arg.get_value_names().and_then(|names| names.first());
        match (arg.get_id().as_str(), named.map(|name| name.as_str())) {
            ("session", _) => Some(Self::Sessions),
            ("request", _) | (_, Some("REQUEST")) => Some(Self::Requests),
            _ => None,
        }
    }
}

/// How far a command line has been read.
struct Line<'c> {
    command: &'c Command,
    positionals: usize,
    /// The option whose value comes next.
    option: Option<&'c Arg>,
    globals: Vec<OsString>,
}

impl<'c> Line<'c> {
    fn new(program: &'c Command) -> Self {
        Self { command: program, positionals: 0, option: None, globals: Vec::new() }
    }

    /// Reads one word. After `--` stands what no id completes.
    fn read(&mut self, word: &str) -> Option<()> {
        // Bash takes --option=value for three words.
        if word == "--" {
            return None;
        }
        if word == "=" {
            return Some(());
        }
        if let Some(option) = self.option.take() {
            self.keep(option, word);
        } else if word.starts_with('-') {
            self.option(word);
        } else if let (0, Some(command)) = (self.positionals, self.command.find_subcommand(word)) {
            self.command = command;
        } else {
            self.positionals += 1;
        }
        Some(())
    }

    fn option(&mut self, word: &str) {
        let (name, value) =
            word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let named = |arg: &&Arg| match name.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => arg
                .get_short()
                .is_some_and(|short| name.strip_prefix('-') == Some(&short.to_string())),
        };
        let Some(option) = self.command.get_arguments().find(named) else { return };
        match value {
            Some(value) => self.keep(option, value),
            None => self.option = Some(option).filter(|option| option.get_action().takes_values()),
        }
    }

    fn keep(&mut self, option: &Arg, value: &str) {
        if let (true, Some(long)) = (option.is_global_set(), option.get_long()) {
            self.globals.extend([format!("--{long}").into(), value.into()]);
        }
    }

    /// Returns the argument that the next word is for.
    fn next(&self, word: &str) -> Option<&'c Arg> {
        match self.option {
            None if word.starts_with('-') => None,
            None => self.command.get_positionals().nth(self.positionals),
            option => option,
        }
    }
}

/// No subcommand, so that neither help nor the scripts name it: nobody types it.
pub const QUESTION: &str = "complete-ids";
/// Whoever pressed the key waits so long.
const PATIENCE: Duration = Duration::from_millis(1_500);

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn program() -> Command {
        let config = Arg::new("config").long("config").global(true);
        let request = Arg::new("request").long("request").short('r');
        let watch = Arg::new("watch").long("watch").action(ArgAction::SetTrue);
        Command::new("program")
            .args([config, request])
            .subcommand(Command::new("play").arg(Arg::new("session")).arg(watch))
            .subcommand(Command::new("approve").arg(Arg::new("id").value_name("REQUEST")))
    }

    fn wish(words: &[&str]) -> Option<Wish> {
        Wish::of(program(), &words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn an_id_belongs_where_the_definition_has_one() {
        let ids = |words: &[&str]| wish(words).map(|wish| wish.ids);
        assert_eq!(ids(&["play", ""]), Some(Ids::Sessions));
        assert_eq!(ids(&["play", "--watch", "01a"]), Some(Ids::Sessions));
        assert_eq!(ids(&["approve", ""]), Some(Ids::Requests));
        for request in [&["--request", ""][..], &["-r", "01"], &["--request", "=", "01"]] {
            assert_eq!(ids(request), Some(Ids::Requests), "{request:?}");
        }
        for no_id in [
            &[][..],
            &[""],
            &["play"],
            &["play", "--"],
            &["play", "--w"],
            &["play", "01a", ""],
            &["--", "play", ""],
            &["--config", ""],
            &["other", ""],
        ] {
            assert_eq!(ids(no_id), None, "{no_id:?}");
        }
    }

    #[test]
    fn options_for_every_subcommand_are_kept() {
        for words in [
            &["--config", "file", "play", "01"][..],
            &["--config=file", "play", "01"],
            &["play", "--config", "=", "file", "01"],
        ] {
            let wish = wish(words).unwrap();
            assert_eq!(wish.globals, ["--config", "file"], "{words:?}");
            assert_eq!(wish.begins, "01");
        }
    }

    #[test]
    fn only_ids_that_begin_so_are_offered() {
        let mut out = Vec::new();
        let list = |_: &Wish, found: &mut dyn FnMut(String)| {
            found("01a".to_owned());
            found("02b".to_owned());
        };
        offer(program(), &["play".into(), "02".into()], list, &mut out).unwrap();
        assert_eq!(out, b"02b\n");
    }
}
