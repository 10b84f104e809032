//! Lines as somebody typed them, best effort: what the keys of a line editor do is followed, what the shell adds
//! from its history or by completion cannot be seen here.

/// Follows the keys of one line after another.
#[derive(Debug, Default)]
pub struct Typing {
    line: Vec<char>,
    cursor: usize,
    partial: bool,
    /// Bytes of an unfinished character or key.
    begun: Vec<u8>,
    /// How many bytes were typed in all.
    offset: u64,
    /// Where this line began.
    began: u64,
}

/// A line that was entered.
#[derive(Debug, PartialEq, Eq)]
pub struct TypedLine {
    /// What was typed, as far as known.
    pub text: String,
    /// Something else had a part in it.
    pub partial: bool,
    /// The offset of its first byte in all input.
    pub offset: u64,
}

impl Typing {
    /// Takes what was typed; returns the lines that it ended.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<TypedLine> {
        let mut lines = Vec::new();
        for byte in bytes {
            if self.line.is_empty() && self.begun.is_empty() {
                self.began = self.offset;
            }
            self.offset += 1;
            if let Some(line) = self.byte(*byte) {
                lines.push(line);
            }
        }
        lines
    }

    /// Passes over what is no part of a line.
    pub fn skip(&mut self, len: usize) {
        self.offset += len as u64;
        self.clear();
    }

    fn byte(&mut self, byte: u8) -> Option<TypedLine> {
        if !self.begun.is_empty() {
            self.begun.push(byte);
            self.go_on();
            return None;
        }
        match byte {
            b'\r' | b'\n' => return self.enter(),
            ESC | 0xc2..=0xf4 => self.begun.push(byte),
            0x20..=0x7e => self.insert(char::from(byte)),
            _ => self.control(byte),
        }
        None
    }

    /// Control characters as readline(3) and termios(3) have them.
    fn control(&mut self, byte: u8) {
        match byte {
            0x01 => self.cursor = 0,
            0x05 => self.end(),
            0x02 => self.cursor = self.cursor.saturating_sub(1),
            0x06 => self.forward(),
            0x03 => self.clear(),
            0x04 => self.delete(self.cursor, self.cursor + 1),
            0x08 | 0x7f => self.delete(self.cursor.saturating_sub(1), self.cursor),
            0x0b => self.delete(self.cursor, self.line.len()),
            0x15 => self.delete(0, self.cursor),
            0x17 => self.delete(self.word_start(char::is_whitespace), self.cursor),
            // Redraws the screen.
            0x0c => {}
            // Completion, history, search, yank, quoted insert, undo: what they do is not known here.
            _ => self.partial = true,
        }
    }

    /// Goes on with a character of several bytes, or with a key.
    fn go_on(&mut self) {
        let escape = self.begun.first() == Some(&ESC);
        if !escape {
            match std::str::from_utf8(&self.begun) {
                Ok(text) => {
                    let typed: Vec<char> = text.chars().collect();
                    typed.into_iter().for_each(|c| self.insert(c));
                    self.begun.clear();
                }
                Err(e) if e.error_len().is_some() || self.begun.len() > 4 => {
                    self.insert(char::REPLACEMENT_CHARACTER);
                    self.begun.clear();
                }
                Err(_) => {}
            }
            return;
        }
        let ended = match self.begun.as_slice() {
            [_, b'[' | b'O'] => false,
            [_, b'[' | b'O', .., last] => (0x40..=0x7e).contains(last),
            _ => true,
        };
        if ended || self.begun.len() > KEY_MAX {
            let key = std::mem::take(&mut self.begun);
            self.key(key.get(1..).unwrap_or_default());
        }
    }

    /// Keys that send a sequence (xterm's ctlseqs).
    fn key(&mut self, key: &[u8]) {
        match key {
            b"[D" | b"OD" => self.cursor = self.cursor.saturating_sub(1),
            b"[C" | b"OC" => self.forward(),
            b"[H" | b"OH" | b"[1~" | b"[7~" => self.cursor = 0,
            b"[F" | b"OF" | b"[4~" | b"[8~" => self.end(),
            b"[3~" => self.delete(self.cursor, self.cursor + 1),
            b"b" | b"[1;5D" | b"[1;3D" => self.cursor = self.word_start(|c| !c.is_alphanumeric()),
            b"f" | b"[1;5C" | b"[1;3C" => {
                self.suggested();
                self.cursor = self.word_end();
            }
            b"d" => self.delete(self.cursor, self.word_end()),
            b"\x7f" | b"\x08" => {
                self.delete(self.word_start(|c| !c.is_alphanumeric()), self.cursor)
            }
            // Bracketed paste, focus in and out, answers that a terminal gives by itself.
            b"[200~" | b"[201~" | b"[I" | b"[O" => {}
            [b'[', .., b'R' | b'c' | b'M' | b'm'] => {}
            _ => self.partial = true,
        }
    }

    /// A key that goes forward where nothing more was typed takes what the shell suggests (fish, zsh).
    fn suggested(&mut self) {
        self.partial |= self.cursor == self.line.len() && !self.line.is_empty();
    }

    fn forward(&mut self) {
        self.suggested();
        self.cursor = self.line.len().min(self.cursor + 1);
    }

    fn end(&mut self) {
        self.suggested();
        self.cursor = self.line.len();
    }

    fn enter(&mut self) -> Option<TypedLine> {
        let text: String = self.line.iter().collect();
        let partial = self.partial || recalls(&text);
        let offset = self.began;
        self.clear();
        let said = !text.trim().is_empty() || partial;
        said.then_some(TypedLine { text, partial, offset })
    }

    fn clear(&mut self) {
        self.line.clear();
        self.begun.clear();
        self.cursor = 0;
        self.partial = false;
    }

    fn insert(&mut self, c: char) {
        if self.line.len() < LINE_MAX {
            self.line.insert(self.cursor, c);
            self.cursor += 1;
        } else {
            self.partial = true;
        }
    }

    fn delete(&mut self, from: usize, to: usize) {
        let to = to.min(self.line.len());
        if from < to {
            self.line.drain(from..to);
            self.cursor = from;
        }
    }

    /// Returns where the word before the cursor begins.
    fn word_start(&self, gap: impl Fn(char) -> bool) -> usize {
        let before = self.line.get(..self.cursor).unwrap_or_default();
        let word_end = before.iter().rposition(|c| !gap(*c)).map_or(0, |at| at + 1);
        let word = before.get(..word_end).unwrap_or_default();
        word.iter().rposition(|c| gap(*c)).map_or(0, |at| at + 1)
    }

    /// Returns where the word behind the cursor ends.
    fn word_end(&self) -> usize {
        let behind = self.line.get(self.cursor..).unwrap_or_default();
        let start = behind.iter().position(|c| c.is_alphanumeric()).unwrap_or(behind.len());
        let word = behind.get(start..).unwrap_or_default();
        let len = word.iter().position(|c| !c.is_alphanumeric()).unwrap_or(word.len());
        self.cursor + start + len
    }
}

/// Returns whether a shell may put something of its history in the place of a part of this line: `!!`, `!$`, `!ls`,
/// `^old^new` (bash(1), HISTORY EXPANSION).
fn recalls(line: &str) -> bool {
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            '^' if first => return true,
            '\\' if !quoted => drop(chars.next()),
            '\'' => quoted = !quoted,
            '!' if !quoted => {
                let next = chars.peek().copied().unwrap_or(' ');
                if !next.is_whitespace() && !matches!(next, '=' | '(' | '"') {
                    return true;
                }
            }
            _ => {}
        }
        first = false;
    }
    false
}

const ESC: u8 = 0x1b;
/// The most characters of a line that are kept.
pub const LINE_MAX: usize = 2_048;
/// The most bytes of a key's sequence.
const KEY_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(bytes: &[u8]) -> Vec<(String, bool)> {
        Typing::default().feed(bytes).into_iter().map(|line| (line.text, line.partial)).collect()
    }

    #[test]
    fn editing_keys_are_followed() {
        for (keys, line) in [
            (&b"lss\x7f -l\r"[..], "ls -l"),
            (b"wrong\x15right\r", "right"),
            (b"rm -rf /tmp/x\x17/tmp/y\r", "rm -rf /tmp/y"),
            (b"ab\x1b[Dc\x1b[C.\x01>\x05<\r", ">acb.<"),
            (b"abc\x1b[H\x1b[3~\r", "bc"),
            (b"one two-three\x1bb\x1bbX\r", "one Xtwo-three"),
            (b"gone\x03kept\r", "kept"),
            ("gr\u{fc}n\u{1f600}\x7f\r".as_bytes(), "gr\u{fc}n"),
            (b"\x1b[200~pasted\x1b[201~ too\r", "pasted too"),
            (b"tail\x01\x0bnew\r", "new"),
        ] {
            assert_eq!(typed(keys), [(line.to_owned(), false)], "{keys:?}");
        }
    }

    #[test]
    fn what_the_shell_had_a_part_in_is_marked() {
        assert_eq!(typed(b"cat /etc/pas\t\r"), [("cat /etc/pas".to_owned(), true)]);
        assert_eq!(typed(b"\x1b[A\r"), [(String::new(), true)]);
        assert_eq!(typed(b"\r\r  \r"), []);
        // What fish and zsh suggest is taken by a key that goes forward at the line's end.
        for key in ["\x1b[C", "\x1bOC", "\x06", "\x1b[F", "\x05", "\x1bf", "\x1b[1;5C"] {
            assert_eq!(typed(format!("echo wi{key}\r").as_bytes()), [("echo wi".to_owned(), true)]);
        }
        assert_eq!(typed(b"ab\x1b[D\x1b[C\r"), [("ab".to_owned(), false)]);
        for line in ["!!", "sudo !!", "cat !$", "!ls", "^a^b", "echo \"!x\""] {
            assert_eq!(typed(format!("{line}\r").as_bytes()), [(line.to_owned(), true)]);
        }
        for line in ["[ ! -f x ]", "echo hi!", "a != b", "echo '!x'", "echo \\!x", "a^b"] {
            assert_eq!(typed(format!("{line}\r").as_bytes()), [(line.to_owned(), false)]);
        }
    }

    #[test]
    fn a_line_knows_where_it_began() {
        let mut typing = Typing::default();
        typing.feed(b"ls\r");
        typing.skip(7);
        assert_eq!(typing.feed(b"id\r")[0].offset, 10);
    }

    proptest! {
        #[test]
        fn any_input_is_taken_and_memory_bounded(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut typing = Typing::default();
            for chunk in chunks.iter().cycle().take(40) {
                typing.feed(chunk);
                prop_assert!(typing.cursor <= typing.line.len() && typing.line.len() <= LINE_MAX);
                prop_assert!(typing.begun.len() <= KEY_MAX + 1);
            }
        }
    }
}
