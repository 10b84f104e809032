//! Whether the screen asks for a secret, where the terminal's settings do not say so: a program that reads key by key,
//! or one on another host, asks in words, or answers each key with a star.

mod line;

use bg_recorder::event::Sign;

use self::line::{DRAWN_MAX, Line};

/// What the output asks, and how it answers keys.
#[derive(Debug, Default)]
pub struct Question {
    line: Line,
    /// The last of what was typed in this line, in lower case: words that somebody typed are no prompt.
    typed: String,
    /// What was typed last, if it can be seen.
    keys: Vec<char>,
    asked: Option<Sign>,
}

impl Question {
    /// Takes output that was accepted.
    pub fn shown(&mut self, bytes: &[u8]) {
        self.line.feed(bytes);
    }

    /// Takes what is typed. Returns how much of its beginning answers a question for a secret, and what says so.
    pub fn answered(&mut self, bytes: &[u8]) -> Option<(usize, Sign)> {
        self.look();
        let end = |byte: &u8| matches!(*byte, b'\r' | b'\n' | INTERRUPT | END_OF_FILE);
        let hidden = bytes.iter().position(end).map_or(bytes.len(), |at| at + 1);
        let answered = self.asked.map(|sign| (hidden, sign));
        if let Some(last) = bytes.iter().rposition(end) {
            self.asked = None;
            self.typed.clear();
            self.remember(bytes.get(last + 1..).unwrap_or_default());
        } else {
            self.remember(bytes);
        }
        self.line.key();
        answered
    }

    fn look(&mut self) {
        let drawn = self.line.drawn();
        let answered = !self.keys.is_empty() && !drawn.is_empty();
        let masks = |c: &char| MASKS.contains(c) && !self.keys.contains(c);
        if answered && drawn == self.keys {
            // It is on the screen, whatever the program calls it.
            self.asked = None;
        } else if self.asked.is_none() && answered && drawn.iter().all(masks) {
            self.asked = Some(Sign::Mask);
        } else if self.asked.is_none() && self.line.fresh() && self.asks() {
            self.asked = Some(Sign::Prompt);
        }
    }

    /// Returns whether the line asks for a secret. One with the sign of a shell in it is a command.
    fn asks(&self) -> bool {
        let line = self.line.before_cursor().trim_end().to_lowercase();
        if !line.ends_with([':', '\u{ff1a}']) || SHELLS.iter().any(|sign| line.contains(sign)) {
            return false;
        }
        let pin = line.split(|c: char| !c.is_alphanumeric()).find(|word| *word == "pin");
        let mut words = WORDS.iter().copied().filter(|word| line.contains(word)).chain(pin);
        words.any(|word| !self.typed.contains(word))
    }

    fn remember(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let seen = text.chars().all(|c| !c.is_control() && c != ' ') && bytes.len() <= DRAWN_MAX;
        self.keys = if seen { text.chars().collect() } else { Vec::new() };
        self.typed.extend(text.chars().flat_map(char::to_lowercase).take(TYPED_MAX));
        let early = self.typed.chars().count().saturating_sub(TYPED_MAX);
        self.typed = self.typed.chars().skip(early).collect();
    }
}

const INTERRUPT: u8 = 3;
const END_OF_FILE: u8 = 4;
/// What programs draw in place of a secret's characters.
const MASKS: &[char] =
    &['*', '\u{2022}', '\u{25cf}', '\u{2217}', '\u{00b7}', '\u{25e6}', '\u{25aa}'];
/// How programs name a secret.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "mot de passe",
    "contrase\u{f1}a",
    "senha",
    "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
    "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}",
    "\u{5bc6}\u{7801}",
];
/// What stands between a shell's prompt and a command.
const SHELLS: &[&str] = &["$ ", "# ", "% ", "> "];
const TYPED_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is shown, what is typed then, and how much of that is a secret.
    type Exchange<'t> = (&'t str, &'t str, Option<(usize, Sign)>);

    fn is(exchanges: &[Exchange<'_>]) {
        let mut question = Question::default();
        for (shown, typed, secret) in exchanges {
            question.shown(shown.as_bytes());
            assert_eq!(question.answered(typed.as_bytes()), *secret, "{shown:?} {typed:?}");
        }
    }

    #[test]
    fn words_that_ask_for_a_secret_are_read() {
        for prompt in [
            "Password: ",
            "$ ssh db\r\nbob@db's password: ",
            "[sudo] password for bob: ",
            "Enter passphrase for key '/root/.ssh/id': ",
            "Enter PIN for authenticator: ",
            "\x1b]0;~\x07\x1b[30m\rPassword:\x1b[K\r\x1b[9C",
            "[sudo] Passwort f\u{fc}r bob: ",
        ] {
            is(&[
                (prompt, "s", Some((1, Sign::Prompt))),
                ("", "ecret", Some((5, Sign::Prompt))),
                ("", "!\rls\r", Some((2, Sign::Prompt))),
                ("\r\n$ ", "ls\r", None),
            ]);
        }
        for other in ["name: ", "$ grep password: ", "the password\r\n", "spin: ", ">>> pin: "] {
            is(&[(other, "x", None)]);
        }
    }

    #[test]
    fn words_that_somebody_types_are_no_prompt() {
        is(&[("vim\r\n", "password:", None), ("\x1b[5;1Hpassword:", "hunter2", None)]);
        is(&[("", "p", None), ("password: ", "x", None)]);
        // A prompt whose answer is on the screen asks for no secret.
        let prompt = Some((1, Sign::Prompt));
        is(&[("password: ", "x", prompt), ("x", "y", None), ("y", "z", None)]);
    }

    #[test]
    fn stars_tell_from_the_second_key_on() {
        let mask = Some((1, Sign::Mask));
        is(&[("read> ", "s", None), ("\u{25cf}\r\x1b[7C", "3", mask), ("*", "\x7f", mask)]);
        is(&[("", "s", None), ("*", "c", mask), ("*", "\r", mask), ("\r\n", "l", None)]);
        is(&[("", "*", None), ("*", "*", None), ("*", "x", None)]);
        // The clock of a status line draws something else.
        is(&[("", "s", None), ("*", "c", mask), ("12:01", "r", mask)]);
    }

    fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
        let words =
            prop::sample::select(vec![&b"Password: "[..], b"\r\n", b"*", b"x", b"\x1b[5;1H"]);
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..most),
            prop::collection::vec(words, 0..4).prop_map(|words| words.concat()),
        ]
    }

    proptest! {
        #[test]
        fn no_more_is_hidden_than_was_typed_and_memory_is_bounded(
            steps in prop::collection::vec((bytes(2_000), bytes(60)), 0..30)
        ) {
            let mut question = Question::default();
            for (shown, typed) in steps {
                question.shown(&shown);
                let hidden = question.answered(&typed).map_or(0, |(hidden, _)| hidden);
                prop_assert!(hidden <= typed.len());
                prop_assert!(question.typed.chars().count() <= TYPED_MAX);
                prop_assert!(question.keys.len() <= DRAWN_MAX);
            }
        }
    }
}
