//! Text that came from a tape, or from anyone else, made harmless for a terminal.

use std::fmt::Write as _;

/// Returns one line without any character that a terminal would act on or that reorders or hides text: those
/// are written as `\x1b` or `\u{202e}`.
pub fn neutral(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut line, c));
    line
}

/// Returns JSON text with the same characters written as `\u` escapes. In JSON they can only stand inside of
/// strings, so the value stays the same.
pub fn neutral_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                append(&mut safe, format_args!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Returns a character that may be put into a cell of a terminal's screen.
pub fn neutral_cell(c: char) -> char {
    if acts(c) { char::REPLACEMENT_CHARACTER } else { c }
}

/// Makes a stream of output visible: line feeds and tabs are kept, a carriage return before a line feed is
/// dropped, everything else that acts is written out.
#[derive(Debug, Default)]
pub struct Visible {
    returned: bool,
}

impl Visible {
    /// Returns the visible text of the next chunk.
    pub fn chunk(&mut self, text: &str) -> String {
        let mut seen = String::with_capacity(text.len());
        for c in text.chars() {
            if std::mem::take(&mut self.returned) && c != '\n' {
                push(&mut seen, '\r');
            }
            match c {
                '\r' => self.returned = true,
                '\n' | '\t' => seen.push(c),
                _ => push(&mut seen, c),
            }
        }
        seen
    }
}

/// Returns whether a character does more than stand where it is.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional marks, embeddings, overrides and isolates.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Invisible: zero-width space, joiners of words, byte order mark, annotations, tags.
            | '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn push(line: &mut String, c: char) {
    match c {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        _ if !acts(c) => line.push(c),
        _ if u32::from(c) < 0x100 => append(line, format_args!("\\x{:02x}", u32::from(c))),
        _ => append(line, format_args!("\\u{{{:x}}}", u32::from(c))),
    }
}

fn append(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail, and the type cannot say so.
    if line.write_fmt(text).is_err() {
        debug_assert!(false, "a String took no text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn harmless(text: &str) -> bool {
        let bidi = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !text.chars().any(|c| c.is_control() || bidi(c))
    }

    /// Any text, with the characters that matter made likely.
    fn text() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(
            "\x1b\r\n\t\x07\x7f\u{85}\u{9b}\u{202e}\u{2066}\u{feff}\\\"aé"
                .chars()
                .collect::<Vec<_>>(),
        );
        prop::collection::vec(prop_oneof![nasty, any::<char>()], 0..64)
            .prop_map(|c| c.into_iter().collect())
    }

    #[test]
    fn escapes_are_written_out() {
        assert_eq!(neutral("a\x1b[31m\u{202e}é\n"), "a\\x1b[31m\\u{202e}é\\n");
    }

    #[test]
    fn a_return_split_from_its_line_feed_is_still_dropped() {
        let mut visible = Visible::default();
        assert_eq!(visible.chunk("a\r") + &visible.chunk("\nb\rc\t"), "a\nb\\rc\t");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_comes_out(text in text()) {
            prop_assert!(harmless(&neutral(&text)));
            let seen = Visible::default().chunk(&text);
            prop_assert!(harmless(&seen.replace(['\n', '\t'], "")));
            prop_assert!(text.chars().all(|c| harmless(&neutral_cell(c).to_string())));
        }

        #[test]
        fn json_is_harmless_and_means_the_same(text in text()) {
            let json = neutral_json(&serde_json::to_string(&text).unwrap());
            prop_assert!(harmless(&json));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn chunking_does_not_change_what_is_seen(text in text(), cut in 0usize..64) {
            let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let mut visible = Visible::default();
            let parts = visible.chunk(&text[..cut]) + &visible.chunk(&text[cut..]);
            prop_assert_eq!(parts, Visible::default().chunk(&text));
        }
    }
}
