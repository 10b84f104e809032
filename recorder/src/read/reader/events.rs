//! What was recorded, event by event, with its exact bytes (FORMAT.md 7.1).

use std::collections::VecDeque;

use super::{Given, ReadError, Reader};
use crate::format::codec::{Header as CastHeader, Line, LineError, MARK, parse_header};
use crate::format::genesis::Genesis;

/// The lines of a tape: the header first, then events with their exact bytes.
#[derive(Debug)]
pub struct Events<'a> {
    reader: Reader<'a>,
    header: CastHeader,
    lines: VecDeque<Line>,
    time_us: u64,
}

/// An event of a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeEvent {
    /// The line: time, code, display text.
    pub line: Line,
    /// The exact bytes, where they are not the UTF-8 of the text.
    pub raw: Option<Vec<u8>>,
}

impl TapeEvent {
    /// Returns the exact bytes of an `o` or `i` event.
    pub fn bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.line.data.as_bytes())
    }

    /// Marks where frames are missing; no tape has this line.
    fn hole(time_us: u64, from: u64, to: u64) -> Self {
        let data = format!("{HOLE}{from} to {} are missing here", to.saturating_sub(1));
        Self { line: Line { time_us, code: 'm', data }, raw: None }
    }

    /// Returns what a mark of missing frames says, if it is one.
    pub fn missing(&self) -> Option<&str> {
        let data = self.line.data.as_str();
        (self.line.code == 'm' && data.starts_with(HOLE)).then_some(data)
    }

    /// Gives what stands on the tape as a single mark (FORMAT.md 7.1) the display text that it saved.
    fn spelled_out(mut self) -> Self {
        if let (MARK, Some(raw)) = (self.line.data.as_str(), &self.raw) {
            self.line.data = String::from_utf8_lossy(raw).into_owned();
        }
        self
    }
}

impl<'a> Events<'a> {
    /// Reads the header line.
    ///
    /// # Errors
    /// When the first frame does not open, or holds something else.
    pub fn begin(mut reader: Reader<'a>) -> Result<Self, ReadError> {
        let first = reader.stretches.front();
        if reader.current.is_none() && first.is_some_and(|first| first.first_frame > 0) {
            let header = stand_in(&reader.genesis);
            return Ok(Self { reader, header, lines: VecDeque::new(), time_us: 0 });
        }
        let first = reader.frame()?.ok_or(ReadError::Empty)?;
        let end = first.iter().position(|b| *b == b'\n').ok_or(LineError)?;
        let (header, rest) = first.split_at_checked(end + 1).ok_or(LineError)?;
        let header = parse_header(header)?;
        let lines = parse_lines(rest)?;
        Ok(Self { reader, header, lines, time_us: 0 })
    }

    /// Returns the asciicast header.
    pub fn header(&self) -> &CastHeader {
        &self.header
    }

    /// Returns what the genesis says.
    pub fn genesis(&self) -> &Genesis {
        self.reader.genesis()
    }

    /// Returns the next event.
    ///
    /// # Errors
    /// When it does not open, or holds no line.
    pub fn event(&mut self) -> Result<Option<TapeEvent>, ReadError> {
        while self.lines.is_empty() {
            match self.reader.given()? {
                Some(Given::Frame(plain)) => self.lines = parse_lines(&plain)?,
                Some(Given::Hole(from, to)) => {
                    return Ok(Some(TapeEvent::hole(self.time_us, from, to)));
                }
                None => return Ok(None),
            }
        }
        let Some(line) = self.lines.pop_front() else { return Ok(None) };
        self.time_us = line.time_us;
        // FORMAT.md 7.1: a B line stands at once behind its line, in the same frame.
        let raw = match self.lines.front() {
            Some(next) if next.code == 'B' && matches!(line.code, 'o' | 'i') => Some(next.exact()?),
            _ => None,
        };
        if raw.is_some() {
            self.lines.pop_front();
        }
        Ok(Some(TapeEvent { line, raw }.spelled_out()))
    }
}

/// The header of a tape whose first frame is lost: what the genesis says of the terminal.
fn stand_in(genesis: &Genesis) -> CastHeader {
    let cells = |name, or| {
        let cells = genesis.about.get(name).and_then(|value| value.as_u64());
        cells.and_then(|cells| u16::try_from(cells).ok()).filter(|cells| *cells > 0).unwrap_or(or)
    };
    CastHeader {
        version: 2,
        width: cells("cols", 80),
        height: cells("rows", 24),
        timestamp: genesis.created.0 / 1_000_000,
        title: None,
        command: None,
        env: serde_json::Value::Null,
    }
}

const HOLE: &str = "bg-replay: frames ";

fn parse_lines(plain: &[u8]) -> Result<VecDeque<Line>, LineError> {
    plain
        .split_inclusive(|b| *b == b'\n')
        .map(|line| Line::parse(line.strip_suffix(b"\n").ok_or(LineError)?))
        .collect()
}
