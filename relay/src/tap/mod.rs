//! What the report needs of a session's plaintext: the recorder can never open its own tape, so it listens while the
//! session runs. Memory is bounded, and a flood costs a search for a few words.

mod lines;
mod patterns;
mod scan;
mod taped;
mod typing;
mod visible;

use bg_recorder::chain::Digest;
use bg_recorder::neutral::neutral;
use bg_recorder::stamp::Stamp;
use serde::{Deserialize, Serialize};

use self::lines::Lines;
use self::patterns::Secret;
pub use self::patterns::SecretKind;
use self::scan::{Hit, Scanner};
pub use self::taped::Taped;
use self::typing::{TypedLine, Typing};

/// Listens to what the recorder has accepted.
#[derive(Debug, Default)]
pub struct Tap {
    output: Scanner,
    typing: Typing,
    lines: Lines,
    /// When the last of what nobody typed came.
    fed_us: u64,
    seen: Seen,
}

/// What was heard. It holds no secret: those are masked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Lines that were typed, best effort, or that came from a file or a pipe.
    pub commands: Vec<Typed>,
    /// How many more there were.
    pub commands_more: u64,
    /// Secrets that appeared on the screen, or in a typed line.
    pub exposures: Vec<Exposure>,
    /// How many more there were.
    pub exposures_more: u64,
}

/// A line as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// When Enter was hit.
    pub at: Stamp,
    /// The line, neutral, with secrets masked.
    pub line: String,
    /// The shell's history or completion, or a key that is not followed, had a part in it.
    pub partial: bool,
}

/// A secret that could be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// What it looks like.
    pub kind: SecretKind,
    /// An access key id as it is; of any other secret the first and the last four characters.
    pub shown: String,
    /// The access key id that a secret access key stood next to.
    pub key_id: Option<String>,
    /// The first 16 hex digits of its SHA-256, to compare without having it.
    pub sha256: String,
    /// When it appeared first.
    pub at: Stamp,
    /// Where.
    pub stream: Stream,
    /// At which byte of all output, or of all input.
    pub offset: u64,
}

/// One of the two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// What the session wrote.
    Output,
    /// What was typed.
    Input,
}

impl Tap {
    /// Takes output, and when it was accepted.
    pub fn shown(&mut self, bytes: &[u8], at: Stamp) {
        for hit in self.output.feed(bytes, at) {
            self.seen.expose(&hit, Stream::Output);
        }
    }

    /// Takes input, and when it was accepted.
    pub fn typed(&mut self, bytes: &[u8], at: Stamp) {
        for line in self.typing.feed(bytes) {
            self.seen.command(line, at);
        }
    }

    /// Takes input that nobody typed, and when it was accepted.
    pub fn fed(&mut self, bytes: &[u8], at: Stamp) {
        self.fed_us = at.0;
        for line in self.lines.feed(bytes) {
            self.seen.command(line, at);
        }
    }

    /// Takes the length of what was typed at a secret prompt, or into a full-screen program: no part of a line.
    pub fn typed_elsewhere(&mut self, len: usize) {
        self.typing.skip(len);
    }

    /// Returns what was heard.
    pub fn finish(mut self) -> Seen {
        if let Some(line) = self.lines.finish() {
            self.seen.command(line, Stamp(self.fed_us));
        }
        for hit in self.output.finish() {
            self.seen.expose(&hit, Stream::Output);
        }
        self.seen
    }
}

impl Seen {
    fn expose(&mut self, hit: &Hit, stream: Stream) {
        let exposure = Exposure {
            kind: hit.secret.kind,
            shown: hit.secret.masked(),
            key_id: hit.secret.key_id.clone(),
            sha256: fingerprint(&hit.secret),
            at: hit.at,
            stream,
            offset: hit.offset,
        };
        let same =
            |known: &Exposure| (known.kind, &known.sha256) == (exposure.kind, &exposure.sha256);
        if self.exposures.iter().any(same) {
            return;
        }
        if self.exposures.len() < EXPOSURES_MAX {
            self.exposures.push(exposure);
        } else {
            self.exposures_more += 1;
        }
    }

    fn command(&mut self, typed: TypedLine, at: Stamp) {
        let mut line = typed.text;
        let mut scanner = Scanner::default();
        let hits: Vec<Hit> =
            scanner.feed(line.as_bytes(), at).into_iter().chain(scanner.finish()).collect();
        for hit in &hits {
            line = line.replace(hit.secret.text.as_str(), &hit.secret.masked());
            let offset = typed.offset + hit.offset;
            self.expose(&Hit { secret: hit.secret.clone(), at, offset }, Stream::Input);
        }
        let line = neutral(&line);
        let bytes: usize = self.commands.iter().map(|command| command.line.len()).sum();
        if self.commands.len() < COMMANDS_MAX && bytes + line.len() < COMMAND_BYTES_MAX {
            self.commands.push(Typed { at, line, partial: typed.partial });
        } else {
            self.commands_more += 1;
        }
    }
}

fn fingerprint(secret: &Secret) -> String {
    Digest::of(secret.text.as_bytes()).to_string().chars().take(16).collect()
}

/// The most lines that are kept. All of it must fit a fact of 256 KiB, as JSON.
const COMMANDS_MAX: usize = 1_000;
const COMMAND_BYTES_MAX: usize = 49_152;
/// The most exposures that are kept.
const EXPOSURES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Stamp = Stamp(1_795_413_600_000_000);

    #[test]
    fn a_secret_in_a_typed_line_is_masked_and_reported() {
        let mut tap = Tap::default();
        tap.typed(b"export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\r", NOW);
        tap.typed_elsewhere(9);
        tap.typed(b"ls\r", NOW);
        let seen = tap.finish();
        assert_eq!(seen.commands[0].line, "export AWS_SECRET_ACCESS_KEY=wJal…EKEY");
        assert_eq!(seen.commands[1].line, "ls");
        assert_eq!(seen.exposures.len(), 1);
        assert_eq!((seen.exposures[0].stream, seen.exposures[0].offset), (Stream::Input, 12));
        assert!(!serde_json::to_string(&seen).unwrap().contains("wJalrX"));
    }

    #[test]
    fn what_is_kept_fits_a_fact() {
        let mut tap = Tap::default();
        for n in 0..3_000 {
            tap.typed(format!("echo \"\\\\\x16\x01 {n} {}\r", "\"\\".repeat(200)).as_bytes(), NOW);
            tap.shown(format!("AKIA{n:016}\r\n").as_bytes(), NOW);
        }
        let seen = tap.finish();
        assert!(serde_json::to_string(&seen).unwrap().len() < 200_000);
        assert_eq!(seen.commands.len() as u64 + seen.commands_more, 3_000);
        assert_eq!(seen.exposures.len() as u64 + seen.exposures_more, 3_000);
    }
}
