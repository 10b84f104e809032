//! Lines of a file or a pipe: nobody typed them, so no byte of them is a key.

use memchr::memchr;

use super::typing::{LINE_MAX, TypedLine};

/// Follows one line after another.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    /// More bytes of it came than are kept.
    cut: bool,
    /// How many bytes came in all.
    offset: u64,
    /// Where this line began.
    began: u64,
}

impl Lines {
    /// Takes what came; returns the lines that it ended and that are text.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Vec<TypedLine> {
        let mut lines = Vec::new();
        while let Some(at) = memchr(b'\n', bytes) {
            self.take(bytes.get(..at).unwrap_or_default());
            bytes = bytes.get(at + 1..).unwrap_or_default();
            self.offset += 1;
            lines.extend(self.finish());
        }
        self.take(bytes);
        lines
    }

    /// Returns the last line, which nothing ended.
    pub fn finish(&mut self) -> Option<TypedLine> {
        let line = std::mem::take(&mut self.line);
        let partial = std::mem::take(&mut self.cut);
        let offset = std::mem::replace(&mut self.began, self.offset);
        let text = String::from_utf8(line).ok()?;
        let is_text = text.chars().all(|c| c == '\t' || !c.is_control());
        (is_text && !text.trim().is_empty()).then_some(TypedLine { text, partial, offset })
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.line.len());
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        self.offset += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_as_they_are_and_what_is_no_text_is_left_out() {
        let mut lines = Lines::default();
        let mut seen = lines.feed(b"select 1;\n\tel");
        seen.extend(lines.feed("s\u{e9};\n\n\x7fELF\x01\nrm \x15-rf\nlast".as_bytes()));
        seen.extend(lines.feed(b"\xff\n"));
        seen.extend(lines.feed(b"last"));
        seen.extend(lines.finish());
        let seen: Vec<(&str, u64)> =
            seen.iter().map(|line| (line.text.as_str(), line.offset)).collect();
        assert_eq!(seen, [("select 1;", 0), ("\tels\u{e9};", 10), ("last", 39)]);
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(&vec![b'x'; 3 * LINE_MAX]), []);
        let line = lines.feed(b"\nnext\n");
        assert_eq!((line[0].text.len(), line[0].partial), (LINE_MAX, true));
        assert_eq!((line[1].text.as_str(), line[1].partial), ("next", false));
    }
}
