//! What the output leaves the terminal in: whether a line of ours can be drawn now without breaking anything.

use bg_recorder::codec::unfinished_len;
use memchr::memchr;

/// Follows output bytes just closely enough (ECMA-48, xterm ctlseqs) to know when it is between sequences and
/// characters, and whether a full-screen program holds the alternate screen.
#[derive(Debug, Default)]
pub struct ScreenState {
    state: State,
    sequence: Vec<u8>,
    unfinished: usize,
    alternate: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Control,
    Text,
    TextEscape,
}

impl ScreenState {
    /// Takes what went to the screen.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.state == State::Ground {
                let Some(at) = memchr(ESC, bytes) else {
                    self.unfinished = unfinished_len(bytes);
                    return;
                };
                bytes = bytes.get(at + 1..).unwrap_or_default();
                self.state = State::Escape;
                self.unfinished = 0;
            } else if let Some((byte, rest)) = bytes.split_first() {
                self.step(*byte);
                bytes = rest;
            }
        }
    }

    /// Returns whether the output is between sequences and characters.
    pub fn between(&self) -> bool {
        self.state == State::Ground && self.unfinished == 0
    }

    /// Returns whether a full-screen program is showing.
    pub fn full_screen(&self) -> bool {
        self.alternate
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Escape, b'[') => {
                self.sequence.clear();
                State::Control
            }
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::Text,
            (State::Escape, 0x20..=0x2f) => State::Escape,
            (State::Control, 0x40..=0x7e) => {
                self.control(byte);
                State::Ground
            }
            (State::Control, ESC) => State::Escape,
            (State::Control, CAN | SUB) | (State::Text, BEL | CAN | SUB) => State::Ground,
            (State::Control, _) => {
                if self.sequence.len() < SEQUENCE_MAX {
                    self.sequence.push(byte);
                }
                State::Control
            }
            (State::Text, ESC) => State::TextEscape,
            (State::Text, _) => State::Text,
            // ESC \ ends the string; ESC and anything else begins another sequence.
            (State::TextEscape, b'\\') => State::Ground,
            (State::TextEscape, _) => {
                self.state = State::Escape;
                return self.step(byte);
            }
            (State::Escape | State::Ground, _) => State::Ground,
        };
    }

    fn control(&mut self, last: u8) {
        let modes = self.sequence.strip_prefix(b"?").unwrap_or_default();
        if matches!(last, b'h' | b'l') && modes.split(|b| *b == b';').any(|mode| ALTERNATE.contains(&mode)) {
            self.alternate = last == b'h';
        }
    }
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const SEQUENCE_MAX: usize = 64;
/// The private modes that switch to the alternate screen.
const ALTERNATE: [&[u8]; 3] = [b"47", b"1047", b"1049"];

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: &[u8]) -> ScreenState {
        let mut state = ScreenState::default();
        for byte in bytes {
            state.feed(&[*byte]);
        }
        let mut whole = ScreenState::default();
        whole.feed(bytes);
        assert_eq!((state.between(), state.full_screen()), (whole.between(), whole.full_screen()));
        state
    }

    #[test]
    fn sequences_and_characters_are_not_cut() {
        for open in ["\x1b", "\x1b[1;3", "\x1b]0;title", "\x1bPq", "\x1b]0;t\x1b", "\x1b("] {
            assert!(!after(open.as_bytes()).between(), "{open:?}");
        }
        for whole in ["", "a", "\x1b[1;31m", "\x1b]0;title\x07", "\x1b]0;t\x1b\\", "\x1b(B", "\x1b7", "é"] {
            assert!(after(whole.as_bytes()).between(), "{whole:?}");
        }
        let mut state = ScreenState::default();
        state.feed(b"\xe2\x82");
        assert!(!state.between());
    }

    #[test]
    fn a_full_screen_program_is_noticed() {
        assert!(after(b"\x1b[?1049h").full_screen());
        assert!(after(b"\x1b[?1;1049h").full_screen());
        assert!(!after(b"\x1b[?1049h\x1b[?1049l").full_screen());
        assert!(!after(b"\x1b[1049h").full_screen());
    }
}
