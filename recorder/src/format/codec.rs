//! asciicast v2 lines, byte-exact for any input (FORMAT.md 7.1).

use std::io::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::format::base64;
use crate::format::escape;
use crate::format::event::Event;

/// The first line of an asciicast v2 file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Header {
    /// Always 2.
    pub version: u32,
    /// Columns at the start.
    pub width: u16,
    /// Rows at the start.
    pub height: u16,
    /// Unix seconds at the start.
    pub timestamp: u64,
    /// What players show as the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What was run, quoted for a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// `TERM` and `SHELL`, as players expect them.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub env: Value,
}

/// Turns events into lines. It remembers characters that were split over two chunks, so that display text is
/// whole while exact bytes never wait.
#[derive(Debug, Default)]
pub struct Encoder {
    output: Seam,
    input: Seam,
}

impl Encoder {
    /// Appends the header line.
    pub fn header(header: &Header, to: &mut Vec<u8>) {
        json(to, header);
        to.push(b'\n');
    }

    /// Appends the lines of one event that happened `time_us` after the session began.
    pub fn event(&mut self, time_us: u64, event: Event<'_>, to: &mut Vec<u8>) {
        match event {
            Event::Output(bytes) => self.output.lines(time_us, 'o', bytes, to),
            Event::Input(bytes) => self.input.lines(time_us, 'i', bytes, to),
            Event::Resize { cols, rows } => line(to, time_us, 'r', &format!("{cols}x{rows}")),
            Event::Marker(label) => line(to, time_us, 'm', label),
            Event::Exit(status) => line(to, time_us, 'x', &status.to_string()),
            Event::Notice(notice) => {
                let mut text = Vec::new();
                json(&mut text, notice);
                line(to, time_us, 'N', &String::from_utf8_lossy(&text));
            }
        }
    }
}

/// The bytes of a character that the last chunk began and did not end: at most 3.
#[derive(Debug, Default)]
struct Seam(Vec<u8>);

impl Seam {
    fn lines(&mut self, time_us: u64, code: char, chunk: &[u8], to: &mut Vec<u8>) {
        let (stale, rest) = self.resume(time_us, code, chunk, to);
        let body_len = rest.len() - unfinished_len(rest);
        let (body, tail) = rest.split_at_checked(body_len).unwrap_or((rest, &[]));
        match std::str::from_utf8(body) {
            Ok("") if !stale => {}
            Ok(text) if !stale => line(to, time_us, code, text),
            _ if binary(body) => {
                line(to, time_us, code, MARK);
                line(to, time_us, 'B', &base64::encode(body));
            }
            _ => {
                let mark = if stale { MARK } else { "" };
                line(to, time_us, code, &format!("{mark}{}", String::from_utf8_lossy(body)));
                line(to, time_us, 'B', &base64::encode(body));
            }
        }
        if !tail.is_empty() {
            self.0.extend_from_slice(tail);
            line(to, time_us, code, "");
            line(to, time_us, 'B', &base64::encode(tail));
        }
    }

    /// Ends the character that the last chunk began. Returns whether it turned out not to be one, and the
    /// bytes of `chunk` that are still to be written.
    fn resume<'a>(
        &mut self,
        time_us: u64,
        code: char,
        chunk: &'a [u8],
        to: &mut Vec<u8>,
    ) -> (bool, &'a [u8]) {
        if self.0.is_empty() {
            return (false, chunk);
        }
        for (taken, byte) in chunk.iter().enumerate() {
            self.0.push(*byte);
            match std::str::from_utf8(&self.0) {
                Ok(character) => {
                    line(to, time_us, code, character);
                    let (exact, rest) = chunk.split_at_checked(taken + 1).unwrap_or((chunk, &[]));
                    line(to, time_us, 'B', &base64::encode(exact));
                    self.0.clear();
                    return (false, rest);
                }
                Err(e) if e.error_len().is_none() => {}
                Err(_) => {
                    self.0.clear();
                    return (true, chunk);
                }
            }
        }
        if !chunk.is_empty() {
            line(to, time_us, code, "");
            line(to, time_us, 'B', &base64::encode(chunk));
        }
        (false, &[])
    }
}

/// One line of a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Microseconds since the session began.
    pub time_us: u64,
    /// The event code, one character.
    pub code: char,
    /// The event's data.
    pub data: String,
}

impl Line {
    /// Reads one event line, without its line feed.
    ///
    /// # Errors
    /// When the line is not `[time, code, data]` as FORMAT.md 7.1 has it.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let (time, code, data): (Value, String, String) =
            serde_json::from_slice(line).map_err(|_| LineError)?;
        let mut codes = code.chars();
        let (Some(code), None) = (codes.next(), codes.next()) else { return Err(LineError) };
        let text = line
            .strip_prefix(b"[")
            .and_then(|l| l.split(|b| *b == b',').next())
            .ok_or(LineError)?;
        time.as_f64().ok_or(LineError)?;
        Ok(Self { time_us: parse_time(text).ok_or(LineError)?, code, data })
    }

    /// Returns the exact bytes of a `B` line's data.
    ///
    /// # Errors
    /// When the data is not canonical base64.
    pub fn exact(&self) -> Result<Vec<u8>, LineError> {
        base64::decode(&self.data).ok_or(LineError)
    }
}

/// Reads a header line.
///
/// # Errors
/// When it is not one of asciicast v2.
pub fn parse_header(line: &[u8]) -> Result<Header, LineError> {
    serde_json::from_slice(line).map_err(|_| LineError)
}

/// The line is not one of a tape.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an event line")]
pub struct LineError;

/// Returns how many bytes at the end of `bytes` begin a character without ending it: 0 to 3.
pub fn unfinished_len(bytes: &[u8]) -> usize {
    (1..=3.min(bytes.len()))
        .find(|len| {
            let tail = bytes.get(bytes.len() - len..).unwrap_or_default();
            matches!(std::str::from_utf8(tail), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none())
        })
        .unwrap_or(0)
}

/// Returns whether bytes that are not UTF-8 are no text of another encoding either (FORMAT.md 7.1): nobody misses
/// their display text, which can be four times as long as they are.
fn binary(bytes: &[u8]) -> bool {
    // BEL, BS, HT, LF, VT, FF, CR, SO, SI and ESC are what terminals are told with.
    let control = |b: &u8| *b < 0x07 || (0x10..0x20).contains(b) && *b != 0x1b;
    bytes.len() >= BINARY_LEN_MIN && bytes.iter().filter(|b| control(b)).count() * 16 >= bytes.len()
}

/// What stands for bytes that are no text.
pub const MARK: &str = "\u{fffd}";
const BINARY_LEN_MIN: usize = 256;

/// Reads seconds with exactly six decimals.
fn parse_time(text: &[u8]) -> Option<u64> {
    let (secs, micros) = std::str::from_utf8(text).ok()?.split_once('.')?;
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if micros.len() != 6 || !digits(micros) || !digits(secs) {
        return None;
    }
    secs.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)
}

fn line(to: &mut Vec<u8>, time_us: u64, code: char, data: &str) {
    let secs = time_us / 1_000_000;
    let micros = time_us % 1_000_000;
    // Writing to a Vec cannot fail, and the type cannot say so.
    if write!(to, "[{secs}.{micros:06},\"{code}\",").is_ok() {
        escape::string(to, data);
        to.extend_from_slice(b"]\n");
    }
}

fn json<T: Serialize + ?Sized>(to: &mut Vec<u8>, value: &T) {
    // Strings, integers and string-keyed maps always serialise, and a Vec always takes them.
    if let Err(e) = serde_json::to_writer(&mut *to, value) {
        debug_assert!(false, "{e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(chunks: &[&[u8]]) -> Vec<Line> {
        let mut encoder = Encoder::default();
        let mut bytes = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            encoder.event(at as u64, Event::Output(chunk), &mut bytes);
        }
        bytes
            .split_inclusive(|b| *b == b'\n')
            .map(|l| Line::parse(&l[..l.len() - 1]).unwrap())
            .collect()
    }

    fn exact(lines: &[Line]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut lines = lines.iter().peekable();
        while let Some(line) = lines.next() {
            match lines.peek() {
                Some(raw) if raw.code == 'B' => bytes.extend(raw.exact().unwrap()),
                _ if line.code == 'o' => bytes.extend(line.data.as_bytes()),
                _ => {}
            }
        }
        bytes
    }

    fn shown(lines: &[Line]) -> String {
        lines.iter().filter(|l| l.code == 'o').map(|l| l.data.as_str()).collect()
    }

    #[test]
    fn a_character_split_over_reads_is_shown_whole() {
        let lines = encode(&["ab€".as_bytes().split_at(3).0, "ab€".as_bytes().split_at(3).1]);
        assert_eq!(shown(&lines), "ab€");
        assert_eq!(exact(&lines), "ab€".as_bytes());
    }

    #[test]
    fn plain_text_is_one_line() {
        assert_eq!(encode(&[b"hello \x1b[1mworld\r\n"]).len(), 1);
    }

    #[test]
    fn a_lone_latin1_byte_is_released_at_once() {
        let lines = encode(&[b"caf\xe9", b" noir"]);
        assert_eq!(exact(&lines), b"caf\xe9 noir");
        assert_eq!(shown(&lines), "caf\u{fffd} noir");
    }

    #[test]
    fn what_is_not_text_at_all_is_shown_as_one_mark() {
        let mut noise: Vec<u8> =
            (0..4_096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        noise.push(b'.');
        let lines = encode(&[&noise, b"\x1b[1m$ "]);
        assert_eq!(shown(&lines), "\u{fffd}\x1b[1m$ ");
        assert_eq!(exact(&lines), [&noise, &b"\x1b[1m$ "[..]].concat());
        let latin1 = b"\x1b[1mcaf\xe9 noir\r\n\x07".repeat(100);
        assert_eq!(shown(&encode(&[&latin1])), String::from_utf8_lossy(&latin1));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_come_back(bytes: Vec<u8>, cuts in prop::collection::vec(1usize..9, 1..64)) {
            let mut rest = &bytes[..];
            let mut chunks = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (chunk, more) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = more;
            }
            prop_assert_eq!(exact(&encode(&chunks)), bytes);
        }

        #[test]
        fn any_text_in_any_chunks_is_shown_as_it_is(text: String, cut in 1usize..5) {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            prop_assert_eq!(shown(&encode(&chunks)), text);
        }

        #[test]
        fn no_line_makes_the_parser_panic(line: Vec<u8>) {
            if let Ok(line) = Line::parse(&line) {
                prop_assert!(line.time_us < u64::MAX);
            }
        }
    }
}
