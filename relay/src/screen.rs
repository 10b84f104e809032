//! What the output leaves the terminal in: whether a line of ours can be drawn now without breaking anything.

use bg_recorder::codec::unfinished_len;
use memchr::memchr;

use crate::modes::Modes;

/// Follows output bytes just closely enough (ECMA-48, xterm ctlseqs) to know when it is between sequences and
/// characters, and whether a full-screen program holds the alternate screen.
#[derive(Debug, Default)]
pub struct ScreenState {
    state: Sequence,
    sequence: Vec<u8>,
    /// The bytes of a character that has not ended.
    unfinished: Vec<u8>,
    modes: Modes,
    /// The last intermediate: which set of characters is chosen.
    set: u8,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    #[default]
    Ground,
    Escape,
    /// After ESC and intermediates: one more byte ends it.
    Intermediate,
    Control,
    /// An OSC string, which BEL ends, too.
    Title,
    /// A DCS, SOS, PM or APC string.
    Text,
    TextEscape,
}

impl ScreenState {
    /// Takes what went to the screen.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.state == Sequence::Ground {
                let Some(at) = memchr(ESC, bytes) else {
                    self.characters(bytes);
                    return;
                };
                bytes = bytes.get(at + 1..).unwrap_or_default();
                self.state = Sequence::Escape;
                self.unfinished.clear();
            } else if let Some((byte, rest)) = bytes.split_first() {
                self.step(*byte);
                bytes = rest;
            }
        }
    }

    /// Takes the screen's size.
    pub fn resized(&mut self, rows: u16) {
        self.modes.resized(rows);
    }

    /// Returns whether the output is between sequences and characters.
    pub fn between(&self) -> bool {
        self.state == Sequence::Ground && self.unfinished.is_empty()
    }

    /// Returns whether a full-screen program is showing.
    pub fn full_screen(&self) -> bool {
        self.modes.alternate()
    }

    /// Returns what gives the terminal back as it was taken; nothing where it is.
    pub fn give_back(&self) -> String {
        let undo = self.modes.undo();
        // CAN ends whatever sequence is open.
        if undo.is_empty() || self.between() { undo } else { format!("\x18{undo}") }
    }

    /// A character has at most four bytes, and may have begun in an earlier chunk.
    fn characters(&mut self, bytes: &[u8]) {
        self.unfinished
            .extend_from_slice(bytes.get(bytes.len().saturating_sub(4)..).unwrap_or_default());
        let whole = self.unfinished.len() - unfinished_len(&self.unfinished);
        self.unfinished.drain(..whole);
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (Sequence::Escape, b'[') => {
                self.sequence.clear();
                Sequence::Control
            }
            (Sequence::Escape, b']') => Sequence::Title,
            (Sequence::Escape, b'P' | b'X' | b'^' | b'_') => Sequence::Text,
            // Another sequence begins; the one before it is dropped.
            (Sequence::Escape | Sequence::Intermediate | Sequence::Control, ESC) => {
                Sequence::Escape
            }
            (Sequence::Escape | Sequence::Intermediate | Sequence::Control, CAN | SUB) => {
                Sequence::Ground
            }
            // Other controls work in the middle of a sequence, and DEL is nothing.
            (
                state @ (Sequence::Escape | Sequence::Intermediate | Sequence::Control),
                0..=0x1f | 0x7f,
            ) => state,
            (Sequence::Escape | Sequence::Intermediate, 0x20..=0x2f) => {
                self.set = byte;
                Sequence::Intermediate
            }
            (Sequence::Escape, last) => {
                self.modes.escape(last);
                Sequence::Ground
            }
            (Sequence::Intermediate, last) => {
                if self.set == b'(' {
                    self.modes.charset(last);
                }
                Sequence::Ground
            }
            (Sequence::Control, 0x40..=0x7e) => {
                self.modes.control(&self.sequence, byte);
                Sequence::Ground
            }
            (Sequence::Title, BEL) | (Sequence::Title | Sequence::Text, CAN | SUB) => {
                Sequence::Ground
            }
            (Sequence::Control, _) => {
                if self.sequence.len() < SEQUENCE_MAX {
                    self.sequence.push(byte);
                }
                Sequence::Control
            }
            (Sequence::Title | Sequence::Text, ESC) => Sequence::TextEscape,
            (state @ (Sequence::Title | Sequence::Text), _) => state,
            // ESC \ ends the string; ESC and anything else begins another sequence.
            (Sequence::TextEscape, b'\\') => Sequence::Ground,
            (Sequence::TextEscape, _) => {
                self.state = Sequence::Escape;
                return self.step(byte);
            }
            (Sequence::Ground, _) => Sequence::Ground,
        };
    }
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const SEQUENCE_MAX: usize = 64;

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
        for open in [
            "\x1b",
            "\x1b[1;3",
            "\x1b]0;title",
            "\x1bPq",
            "\x1b]0;t\x1b",
            "\x1b(",
            "\x1b\x1b",
            "\x1b\x01",
        ] {
            assert!(!after(open.as_bytes()).between(), "{open:?}");
        }
        for whole in [
            "",
            "a",
            "\x1b[1;31m",
            "\x1b]0;title\x07",
            "\x1b]0;t\x1b\\",
            "\x1b(B",
            "\x1b([",
            "\x1b7",
            "é",
        ] {
            assert!(after(whole.as_bytes()).between(), "{whole:?}");
        }
        let mut state = ScreenState::default();
        state.feed(b"\xe2\x82");
        assert!(!state.between());
        for open in [&b"\xef\x82"[..], b"a\xf0\x9f\x98", b"\xe2\x82\xac\xe2"] {
            assert!(!after(open).between(), "{open:x?}");
        }
    }

    #[test]
    fn a_full_screen_program_is_noticed() {
        assert!(after(b"\x1b[?1049h").full_screen());
        assert!(after(b"\x1b[?1;1049h").full_screen());
        assert!(!after(b"\x1b[?1049h\x1b[?1049l").full_screen());
        assert!(!after(b"\x1b[1049h").full_screen());
    }
}
