//! What was asked for, on standard output. No other place prints there.

use std::fmt;
use std::io::{self, Stdout, Write, stdout};

use bg_recorder::neutral::{Visible, neutral, neutral_json};
use serde::Serialize;

use crate::failure::Failure;

/// Where an answer goes. Each part of it is written out at once. After the first that is not taken none is written, and
/// whoever ends the program learns of it: what a command does besides answering is done all the same.
pub struct Answer<'w> {
    out: Box<dyn Write + 'w>,
    told: io::Result<()>,
}

impl Answer<'static> {
    /// Answers on standard output.
    pub fn stdout() -> Self {
        Self::to(stdout())
    }
}

impl<'w> Answer<'w> {
    /// Answers elsewhere: tests read it.
    pub fn to(out: impl Write + 'w) -> Self {
        Self { out: Box::new(out), told: Ok(()) }
    }

    /// Gives one line to a person. Whatever in it a terminal would act on is written out, a line feed, too.
    pub fn line(&mut self, text: &str) {
        self.exact(format!("{}\n", neutral(text)).as_bytes());
    }

    /// Gives several lines to a person. Line feeds and tabs are kept.
    pub fn page(&mut self, text: &str) {
        self.exact(Visible::default().chunk(text).as_bytes());
    }

    /// Gives one JSON object to a program, in one line. What a terminal would act on is in it as `\u` escapes, which
    /// JSON does for C0 alone: C1, marks of direction and what is invisible too, so that the same line is harmless where
    /// a person looks at it, and means the same.
    pub fn json(&mut self, value: &impl Serialize) {
        // Strings, numbers, and maps with string keys always serialise.
        let json = serde_json::to_string(value).unwrap_or_default();
        debug_assert!(!json.is_empty());
        self.exact(format!("{}\n", neutral_json(&json)).as_bytes());
    }

    /// Gives exactly these bytes: a statement, which somebody is about to sign.
    pub fn exact(&mut self, bytes: &[u8]) {
        if self.told.is_ok() {
            self.told = self.out.write_all(bytes).and_then(|()| self.out.flush());
        }
    }

    /// Returns whether it is still taken: whoever goes on for the answer alone stops when it is not.
    pub fn is_taken(&self) -> bool {
        self.told.is_ok()
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// When not all of it was taken.
    pub fn finish(self) -> Result<(), Failure> {
        self.told.map_err(Failure::stdout)
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(..)")
    }
}

/// Standard output as a tape is played or copied to it: recorded bytes, as they are.
pub fn recorded() -> Stdout {
    stdout()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answered(with: impl Fn(&mut Answer<'_>)) -> String {
        let mut out = Vec::new();
        with(&mut Answer::to(&mut out));
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_and_a_page_moves_no_cursor(text in "[\\PC\n\r\t\u{1b}\u{7f}-\u{9f}\u{202e}]{0,64}") {
            let line = answered(|out| out.line(&text));
            prop_assert!(line.strip_suffix('\n').unwrap().chars().all(|c| !c.is_control()));
            let page = answered(|out| out.page(&text));
            prop_assert!(page.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()));
            let json = answered(|out| out.json(&text));
            let acts = |c: char| c.is_control() || c == '\u{202e}';
            prop_assert!(!json.strip_suffix('\n').unwrap().contains(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
