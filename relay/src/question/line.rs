//! The line that the cursor stands in, and what was drawn since the last key, as far as the end of the output tells.

/// Follows output just closely enough (ECMA-48) to read a prompt.
#[derive(Debug)]
pub struct Line {
    cells: Vec<char>,
    column: usize,
    state: State,
    /// The parameters of a control sequence.
    parameters: Vec<u8>,
    /// The bytes of a character that has not ended.
    begun: Vec<u8>,
    /// The first characters that were drawn since the last key; blanks are none.
    drawn: Vec<char>,
    /// Whether the line began after the last key.
    fresh: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Control,
    Text,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            cells: Vec::new(),
            column: 0,
            state: State::default(),
            parameters: Vec::new(),
            begun: Vec::new(),
            drawn: Vec::new(),
            fresh: true,
        }
    }
}

impl Line {
    /// Takes output. Of a flood the end is enough: nobody has answered what scrolled by.
    pub fn feed(&mut self, bytes: &[u8]) {
        let late = bytes.len().saturating_sub(TAIL_MAX);
        let mut tail = bytes.get(late..).unwrap_or_default();
        if late > 0 {
            self.state = State::Ground;
            self.drawn.resize(DRAWN_MAX, FLOOD);
            self.begin();
            let cut = tail.iter().position(|byte| matches!(*byte, b'\n' | ESC));
            tail = cut.and_then(|at| tail.get(at..)).unwrap_or(tail);
        }
        for byte in tail {
            self.byte(*byte);
        }
    }

    /// Something was typed.
    pub fn key(&mut self) {
        self.drawn.clear();
        self.fresh = false;
    }

    /// Returns whether the line began after the last key: then nobody has typed any of it.
    pub fn fresh(&self) -> bool {
        self.fresh
    }

    /// Lends the first characters that were drawn since the last key.
    pub fn drawn(&self) -> &[char] {
        &self.drawn
    }

    /// Returns what stands before the cursor.
    pub fn before_cursor(&self) -> String {
        self.cells.iter().take(self.column).collect()
    }

    fn byte(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (_, ESC) => State::Escape,
            (_, CAN | SUB) => State::Ground,
            (State::Ground, _) => {
                self.ground(byte);
                State::Ground
            }
            (State::Escape, b'[') => {
                self.parameters.clear();
                State::Control
            }
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::Text,
            // An intermediate: one more byte ends it.
            (State::Escape, 0x20..=0x2f) => State::Escape,
            (State::Escape, _) => State::Ground,
            (State::Control, 0x40..=0x7e) => {
                self.control(byte);
                State::Ground
            }
            (State::Control, _) => {
                if self.parameters.len() < PARAMETERS_MAX {
                    self.parameters.push(byte);
                }
                State::Control
            }
            (State::Text, BEL) => State::Ground,
            (State::Text, _) => State::Text,
        };
    }

    fn ground(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => self.begin(),
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            0x20..=0x7e => self.put(char::from(byte)),
            0x80.. => self.part(byte),
            _ => {}
        }
    }

    /// Goes on with a character of several bytes.
    fn part(&mut self, byte: u8) {
        self.begun.push(byte);
        match std::str::from_utf8(&self.begun) {
            Ok(text) => {
                let character = text.chars().next();
                self.begun.clear();
                character.into_iter().for_each(|c| self.put(c));
            }
            Err(e) if e.error_len().is_some() => {
                self.begun.clear();
                self.put(char::REPLACEMENT_CHARACTER);
            }
            Err(_) => {}
        }
    }

    fn put(&mut self, c: char) {
        if self.column < COLUMNS_MAX {
            let width = self.cells.len().max(self.column + 1);
            self.cells.resize(width, ' ');
            if let Some(cell) = self.cells.get_mut(self.column) {
                *cell = c;
            }
            self.column += 1;
        }
        if c != ' ' && self.drawn.len() < DRAWN_MAX {
            self.drawn.push(c);
        }
    }

    /// What moves the cursor to another line begins that one: what stands there is not known.
    fn control(&mut self, last: u8) {
        let number = self.number();
        let steps = number.unwrap_or(1).max(1);
        match last {
            b'C' => self.column = (self.column + steps).min(COLUMNS_MAX),
            b'D' => self.column = self.column.saturating_sub(steps),
            b'G' => self.column = (steps - 1).min(COLUMNS_MAX),
            b'J' | b'K' if number.unwrap_or(0) == 0 => self.cells.truncate(self.column),
            b'K' => self.cells.clear(),
            b'A' | b'B' | b'E' | b'F' | b'H' | b'J' | b'd' | b'f' => self.begin(),
            _ => {}
        }
    }

    fn number(&self) -> Option<usize> {
        let first = self.parameters.split(|byte| *byte == b';').next()?;
        std::str::from_utf8(first).ok()?.parse().ok()
    }

    fn begin(&mut self) {
        self.cells.clear();
        self.begun.clear();
        self.column = 0;
        self.fresh = true;
    }
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
/// Of one chunk of output this much is looked at.
const TAIL_MAX: usize = 1_024;
/// Wider than a prompt.
const COLUMNS_MAX: usize = 512;
const PARAMETERS_MAX: usize = 32;
/// The most characters that one key is answered with where that tells anything.
pub const DRAWN_MAX: usize = 8;
/// Stands for what was not looked at.
const FLOOD: char = '\0';

#[cfg(test)]
mod tests {
    use super::*;

    fn before_cursor(bytes: &[u8]) -> String {
        let mut line = Line::default();
        for byte in bytes {
            line.feed(&[*byte]);
        }
        let mut whole = Line::default();
        whole.feed(bytes);
        assert_eq!(whole.before_cursor(), line.before_cursor());
        whole.before_cursor()
    }

    #[test]
    fn what_stands_before_the_cursor_is_read() {
        for (shown, text) in [
            (&b"login\r\nPassword: "[..], "Password: "),
            (b"\x1b]0;~\x07\x1b[30m\x1b(B\x1b[m\rPassword:\x1b[K\r\x1b[9C", "Password:"),
            (b"$ ls\r\n\x1b[5;1HPIN: ", "PIN: "),
            (b"abcdef\x1b[3D", "abc"),
            (b"abcdef\x1b[3G\x1b[K", "ab"),
            (b"abc\x08\x08X", "aX"),
            ("caf\u{e9}: ".as_bytes(), "caf\u{e9}: "),
            (b"old\x1b[2Jnew", "new"),
        ] {
            assert_eq!(before_cursor(shown), text, "{shown:?}");
        }
    }

    #[test]
    fn a_flood_costs_its_end() {
        let mut flood = vec![b'x'; 5_000];
        flood.extend_from_slice(b"\r\nPassword: ");
        assert_eq!(before_cursor(&flood), "Password: ");
    }

    #[test]
    fn what_was_drawn_since_a_key_is_known() {
        let mut line = Line::default();
        line.feed(b"Password: ");
        assert!(line.fresh());
        line.key();
        line.feed("\u{25cf}\r\x1b[10C".as_bytes());
        assert_eq!((line.drawn(), line.fresh()), (&['\u{25cf}'][..], false));
    }
}
