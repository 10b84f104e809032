//! What a program has switched on in the terminal (xterm ctlseqs), and how to switch it off again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Follows the modes that outlive the program that set them.
#[derive(Debug, Default)]
pub struct Modes {
    /// Private modes that are not as they were.
    changed: BTreeSet<u16>,
    /// Keyboard protocols that were pushed and not popped (kitty).
    keys_pushed: u32,
    /// Its flags were set, not pushed.
    keys_set: bool,
    /// Keys with modifiers come in another form (xterm).
    modified: bool,
    /// The keypad sends sequences.
    keypad: bool,
    /// Characters are drawn from another set, or in another shape or colour.
    charset: bool,
    /// The cursor has another shape.
    shape: bool,
    /// Only a part of the screen scrolls.
    region: bool,
    /// Characters are inserted.
    insert: bool,
    /// Titles that were put aside.
    titles: u32,
    /// How many rows the screen has; 0 where nobody has said.
    rows: u16,
}

impl Modes {
    /// Takes a control sequence: what stands between CSI and its last byte, and that.
    pub fn control(&mut self, sequence: &[u8], last: u8) {
        match (sequence.split_first(), last) {
            (Some((b'?', modes)), b'h' | b'l') => self.private(modes, last == b'h'),
            (Some((b'>', _)), b'u') => self.keys_pushed = self.keys_pushed.saturating_add(1),
            (Some((b'<', count)), b'u') => {
                let count = number(count).unwrap_or(1);
                self.keys_pushed = self.keys_pushed.saturating_sub(count.into());
            }
            (Some((b'=', flags)), b'u') => self.keys_set = number(flags) != Some(0),
            (Some((b'>', what)), b'm') if what.starts_with(b"4") => {
                // No value is the first one.
                self.modified = what.starts_with(b"4;") && !matches!(what, b"4;" | b"4;0");
            }
            (Some((b'?' | b'>' | b'<' | b'=', _)), _) => {}
            (_, b'q') if sequence.ends_with(b" ") => self.shape = !matches!(sequence, b" " | b"0 "),
            (_, b'r') => self.region = !self.is_whole(sequence),
            (_, b'h' | b'l') if sequence == b"4" => self.insert = last == b'h',
            (_, b't') if sequence.starts_with(b"22") => {
                self.titles = self.titles.saturating_add(1).min(TITLES_MAX);
            }
            (_, b't') if sequence.starts_with(b"23") => {
                self.titles = self.titles.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// Takes the screen's size.
    pub fn resized(&mut self, rows: u16) {
        self.rows = rows;
    }

    /// Returns whether a scrolling region is the whole screen: what is left out is the first row, or the last.
    fn is_whole(&self, region: &[u8]) -> bool {
        let mut parts = region.split(|byte| *byte == b';').map(number);
        let top = parts.next().flatten().unwrap_or(1);
        let bottom = parts.next().flatten().filter(|bottom| *bottom > 0);
        top <= 1 && bottom.is_none_or(|bottom| self.rows > 0 && bottom >= self.rows)
    }

    /// Takes an escape of one byte.
    pub fn escape(&mut self, last: u8) {
        match last {
            b'=' => self.keypad = true,
            b'>' => self.keypad = false,
            // A full reset (RIS).
            b'c' => *self = Self { rows: self.rows, ..Self::default() },
            _ => {}
        }
    }

    /// Takes the choice of the set that characters are drawn from: of `B`, the usual one, or another.
    pub fn charset(&mut self, last: u8) {
        self.charset = last != b'B';
    }

    /// Returns whether a full-screen program is showing.
    pub fn alternate(&self) -> bool {
        ALTERNATE.iter().any(|mode| self.changed.contains(mode))
    }

    /// Returns what gives the terminal back as it was taken; nothing where nothing was changed.
    pub fn undo(&self) -> String {
        let mut undo = String::new();
        if self.keys_pushed > 0 {
            push(&mut undo, format_args!("\x1b[<{}u", self.keys_pushed));
        }
        if self.keys_set {
            undo.push_str("\x1b[=0u");
        }
        // The alternate screen is left first: the cursor goes back to where it stood before, and what follows is the
        // main screen's.
        for mode in ALTERNATE.iter().filter(|mode| self.changed.contains(mode)) {
            push(&mut undo, format_args!("\x1b[?{mode}l"));
        }
        for mode in self.changed.iter().filter(|mode| !ALTERNATE.contains(mode)) {
            let back = if ON_AT_FIRST.contains(mode) { 'h' } else { 'l' };
            push(&mut undo, format_args!("\x1b[?{mode}{back}"));
        }
        let rest = [
            (self.modified, "\x1b[>4m"),
            (self.keypad, "\x1b>"),
            (self.shape, "\x1b[0 q"),
            (self.insert, "\x1b[4l"),
            // Both move the cursor to the corner.
            (self.region, "\x1b7\x1b[r\x1b8"),
        ];
        for (_, sequence) in rest.iter().filter(|(changed, _)| *changed) {
            undo.push_str(sequence);
        }
        for _ in 0..self.titles {
            undo.push_str("\x1b[23;0t");
        }
        if undo.is_empty() && !self.charset {
            return undo;
        }
        format!("{GIVE_BACK}{undo}")
    }

    fn private(&mut self, modes: &[u8], on: bool) {
        for mode in modes.split(|byte| *byte == b';').filter_map(number) {
            if !KNOWN.contains(&mode) {
                continue;
            }
            if on == ON_AT_FIRST.contains(&mode) {
                self.changed.remove(&mode);
            } else {
                self.changed.insert(mode);
            }
            // The three leave the same screen.
            if ALTERNATE.contains(&mode) && !on {
                self.changed.retain(|mode| !ALTERNATE.contains(mode));
            }
        }
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    let digits = digits.split(|byte| *byte == b';').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn push(to: &mut String, text: std::fmt::Arguments<'_>) {
    // A string takes everything.
    to.write_fmt(text).unwrap_or(());
}

/// How each return of a terminal begins: usual colours, usual characters.
pub const GIVE_BACK: &str = "\x1b[m\x0f\x1b(B";
/// Cursor keys, reversed screen, origin, wrapping, mouse, cursor, keypad, focus, paste, synchronized output.
const KNOWN: [u16; 22] = [
    1, 5, 6, 7, 9, 25, 47, 66, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049,
    2004, 2026, 2031,
];
/// What is on before anybody switches it.
const ON_AT_FIRST: [u16; 2] = [7, 25];
/// The private modes that switch to the alternate screen.
const ALTERNATE: [u16; 3] = [47, 1047, 1049];
/// Terminals keep no more (xterm: ten).
const TITLES_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use crate::screen::ScreenState;

    fn undo(of: &str) -> String {
        let mut state = ScreenState::default();
        state.feed(of.as_bytes());
        state.give_back()
    }

    #[test]
    fn what_was_switched_on_is_switched_off() {
        for (on, off) in [
            ("\x1b[?1049h", "\x1b[?1049l"),
            ("\x1b[?47h", "\x1b[?47l"),
            ("\x1b[?25l", "\x1b[?25h"),
            ("\x1b[?7l", "\x1b[?7h"),
            ("\x1b[?1h\x1b=", "\x1b[?1l\x1b>"),
            ("\x1b[?1000;1002;1006h", "\x1b[?1000l\x1b[?1002l\x1b[?1006l"),
            ("\x1b[?2004h", "\x1b[?2004l"),
            ("\x1b[?1004h\x1b[?2026h", "\x1b[?1004l\x1b[?2026l"),
            ("\x1b[>1u\x1b[>5u", "\x1b[<2u"),
            ("\x1b[=5;1u", "\x1b[=0u"),
            ("\x1b[>4;2m", "\x1b[>4m"),
            ("\x1b[5 q", "\x1b[0 q"),
            ("\x1b[2;10r", "\x1b7\x1b[r\x1b8"),
            ("\x1b[4h", "\x1b[4l"),
            ("\x1b[22;0;0t", "\x1b[23;0t"),
            ("\x1b(0", ""),
        ] {
            assert_eq!(undo(on), format!("{}{off}", super::GIVE_BACK), "{on:?}");
            // What undoes it leaves nothing to be undone.
            assert_eq!(undo(&format!("{on}{}", undo(on))), "", "{on:?}");
            assert_eq!(undo(&format!("{on}\x1bc")), "", "{on:?}");
        }
    }

    #[test]
    fn a_region_that_is_the_whole_screen_is_none() {
        for (region, rows, whole) in [
            ("\x1b[1;24r", 24, true),
            ("\x1b[;24r", 24, true),
            ("\x1b[1r", 24, true),
            ("\x1b[0;0r", 24, true),
            ("\x1b[1;30r", 24, true),
            ("\x1b[2;24r", 24, false),
            ("\x1b[1;23r", 24, false),
            ("\x1b[1;24r", 25, false),
            ("\x1b[1;24r", 0, false),
        ] {
            let mut state = ScreenState::default();
            state.resized(rows);
            state.feed(region.as_bytes());
            assert_eq!(state.give_back().is_empty(), whole, "{region:?} of {rows}");
        }
    }

    #[test]
    fn what_was_not_changed_is_left_alone() {
        for text in [
            "",
            "plain",
            "\x1b[1;31mred",
            "\x1b[?25h\x1b[?7h",
            "\x1b[?1049h\x1b[?1049l",
            "\x1b[>4;2m\x1b[>4;m",
            "\x1b[?u\x1b[<u",
            "\x1b]0;title\x07",
            "\x1b[?12h\x1b[?99999h",
        ] {
            assert_eq!(undo(text), "", "{text:?}");
        }
    }

    #[test]
    fn a_sequence_that_has_not_ended_is_ended_first() {
        assert_eq!(undo("\x1b[?25l\x1b]0;half"), format!("\x18{}\x1b[?25h", super::GIVE_BACK));
    }
}
