//! Keys while playing, read from what a terminal sends.

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Space: pause, or go on.
    Pause,
    /// Ctrl-S: pause, as any terminal does.
    Hold,
    /// Ctrl-Q: go on.
    Resume,
    /// Ctrl-Z: back to the shell that runs us, until it says go on.
    Suspend,
    /// `.`: the next output, while paused.
    Step,
    /// Left arrow.
    Back,
    /// Right arrow.
    Forward,
    /// `[`.
    PreviousMarker,
    /// `]`.
    NextMarker,
    /// `i`.
    NextInput,
    /// `+`.
    Faster,
    /// `-`.
    Slower,
    /// `q`, Ctrl-C, or the terminal is gone.
    Quit,
}

/// Turns bytes into keys. Sequences that are no key of ours are swallowed whole: mouse reports, and what the
/// terminal answers to queries in the recording.
#[derive(Debug, Default)]
pub struct Decoder {
    state: Partial,
}

#[derive(Debug, Default)]
enum Partial {
    #[default]
    Ground,
    Escape,
    /// After `ESC [`: the parameters so far.
    Control(String),
    /// After `ESC O`.
    Shift3,
    /// Inside of an operating system command or another string.
    Text,
    /// The coordinates of an old mouse report: so many bytes are left.
    Mouse(u8),
}

impl Decoder {
    /// Takes one byte.
    pub fn byte(&mut self, byte: u8) -> Option<Key> {
        // Ctrl-C always works: in no sequence does this byte stand.
        if byte == CTRL_C {
            self.state = Partial::Ground;
            return Some(Key::Quit);
        }
        let (state, key) = match std::mem::take(&mut self.state) {
            Partial::Ground if byte == ESCAPE => (Partial::Escape, None),
            Partial::Ground => (Partial::Ground, plain(u32::from(byte))),
            Partial::Escape => (after_escape(byte), None),
            Partial::Shift3 => (Partial::Ground, arrow(byte)),
            Partial::Mouse(left) if left > 1 => (Partial::Mouse(left - 1), None),
            Partial::Mouse(_) => (Partial::Ground, None),
            Partial::Text if byte == BELL => (Partial::Ground, None),
            Partial::Text if byte == ESCAPE => (Partial::Escape, None),
            Partial::Text => (Partial::Text, None),
            Partial::Control(parameters) => control(parameters, byte),
        };
        self.state = state;
        key
    }
}

fn after_escape(byte: u8) -> Partial {
    match byte {
        b'[' => Partial::Control(String::new()),
        b'O' => Partial::Shift3,
        b']' | b'P' | b'_' | b'^' | b'X' => Partial::Text,
        ESCAPE => Partial::Escape,
        _ => Partial::Ground,
    }
}

fn control(mut parameters: String, byte: u8) -> (Partial, Option<Key>) {
    match byte {
        b'M' if parameters.is_empty() => (Partial::Mouse(3), None),
        b'u' => (Partial::Ground, coded(parameters.split(';'))),
        b'~' => {
            // xterm's modifyOtherKeys: 27 ; modifiers ; code.
            let mut fields = parameters.split(';');
            let lead = fields.next();
            let modifiers = fields.next();
            let code = fields.next();
            (
                Partial::Ground,
                code.filter(|_| lead == Some("27"))
                    .and_then(|code| coded([code, modifiers.unwrap_or("1")].into_iter())),
            )
        }
        0x40..=0x7e if released(&parameters) => (Partial::Ground, None),
        0x40..=0x7e => (Partial::Ground, arrow(byte)),
        ESCAPE => (Partial::Escape, None),
        _ if parameters.len() < PARAMETERS_MAX => {
            parameters.push(char::from(byte));
            (Partial::Control(parameters), None)
        }
        _ => (Partial::Ground, None),
    }
}

/// Reads the keyboard protocol that the recording may have turned on: code ; modifiers : event.
fn coded<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<Key> {
    let code = fields.next()?.split(':').next()?.parse().ok()?;
    let mut modifiers = fields.next().unwrap_or("1").split(':');
    let held = modifiers.next()?.parse::<u32>().unwrap_or(1).saturating_sub(1);
    if modifiers.next() == Some("3") {
        return None;
    }
    if held & CONTROL != 0 {
        // The control characters are the lower five bits of their letters.
        return if code == u32::from('c') { Some(Key::Quit) } else { plain(code & 0x1f) };
    }
    plain(code)
}

fn released(parameters: &str) -> bool {
    parameters.split(';').nth(1).is_some_and(|modifiers| modifiers.ends_with(":3"))
}

fn plain(code: u32) -> Option<Key> {
    Some(match char::from_u32(code)? {
        ' ' => Key::Pause,
        CTRL_S => Key::Hold,
        CTRL_Q => Key::Resume,
        CTRL_Z => Key::Suspend,
        '.' => Key::Step,
        '[' => Key::PreviousMarker,
        ']' => Key::NextMarker,
        'i' => Key::NextInput,
        '+' | '=' => Key::Faster,
        '-' => Key::Slower,
        'q' => Key::Quit,
        _ => return None,
    })
}

fn arrow(byte: u8) -> Option<Key> {
    match byte {
        b'C' => Some(Key::Forward),
        b'D' => Some(Key::Back),
        _ => None,
    }
}

const CTRL_C: u8 = 3;
const CTRL_S: char = '\x13';
const CTRL_Q: char = '\x11';
const CTRL_Z: char = '\x1a';
const ESCAPE: u8 = 0x1b;
const BELL: u8 = 7;
const CONTROL: u32 = 4;
const PARAMETERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.byte(*byte)).collect()
    }

    #[test]
    fn keys_are_known_in_every_mode_a_recording_can_leave_on() {
        assert_eq!(keys(b" .[]i+-q\x03").len(), 9);
        assert_eq!(keys(b"\x13\x11\x1a"), [Key::Hold, Key::Resume, Key::Suspend]);
        assert_eq!(keys(b"\x1b[115;5u\x1b[122;5u\x1b[97;5u"), [Key::Hold, Key::Suspend]);
        assert_eq!(keys(b"\x1b[C\x1bOD\x1b[1;1C"), [Key::Forward, Key::Back, Key::Forward]);
        assert_eq!(
            keys(b"\x1b[99;5u\x1b[113u\x1b[27;5;99~\x1b[32;1:1u"),
            [Key::Quit, Key::Quit, Key::Quit, Key::Pause]
        );
        assert_eq!(keys(b"\x1b[113;1:3u\x1b[1;1:3C"), []);
    }

    #[test]
    fn answers_and_mouse_reports_are_no_keys() {
        assert_eq!(keys(b"\x1b]11;rgb:1e1e/iqi+\x1b\\"), []);
        assert_eq!(
            keys(b"\x1b[?62;22c\x1b[12;40R\x1b[M qq\x1b[<0;3;3M\x1bP1+r696e\x1b\\\x1b[I"),
            []
        );
    }

    proptest! {
        #[test]
        fn ctrl_c_quits_after_anything(before: Vec<u8>) {
            let mut bytes = before;
            bytes.push(3);
            prop_assert_eq!(keys(&bytes).pop(), Some(Key::Quit));
        }
    }
}
