//! `bg-replay export`: a tape in formats that other programs read.

pub mod cat;
pub mod sink;

pub mod cast;
pub mod cast3;
pub mod jsonl;
pub mod text;

use bg_recorder::codec::Header;
use bg_recorder::reader::TapeEvent;

use crate::evidence::admitted::{Admitted, unread};
use crate::export::sink::Sink;
use crate::failure::Failure;

/// Turns events into the bytes of a format. It never fails and never looks at anything else.
pub trait Format {
    /// Returns what comes first.
    fn begin(&mut self, header: &Header) -> Vec<u8>;
    /// Returns what an event adds.
    fn event(&mut self, event: &TapeEvent) -> Vec<u8>;
    /// Returns what comes last.
    fn end(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Exports a tape.
///
/// # Errors
/// When it does not open, or the sink takes no more.
pub fn export(
    vault: &Admitted<'_>,
    mut format: Box<dyn Format>,
    mut sink: Sink,
) -> Result<(), Failure> {
    let mut events = vault.events()?;
    sink.put(&format.begin(events.header()))?;
    while let Some(event) = events.event().map_err(unread)? {
        sink.put(&format.event(&event))?;
    }
    sink.put(&format.end())?;
    sink.finish()
}

/// Exactly the bytes that the session wrote.
#[derive(Debug)]
pub struct Raw;

impl Format for Raw {
    fn begin(&mut self, _: &Header) -> Vec<u8> {
        Vec::new()
    }

    fn event(&mut self, event: &TapeEvent) -> Vec<u8> {
        if event.line.code == 'o' { event.bytes().to_vec() } else { Vec::new() }
    }
}

/// Returns JSON of a value that always has one, with nothing in it that a terminal would act on.
fn json(value: &impl serde::Serialize) -> String {
    // Strings, integers and maps with string keys always serialise.
    let json = serde_json::to_string(value).unwrap_or_default();
    debug_assert!(!json.is_empty());
    bg_recorder::neutral::neutral_json(&json)
}

/// Returns seconds with six decimals, exactly.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
pub mod sample {
    //! Events for the formats' tests.

    use super::*;
    use bg_recorder::codec::Line;
    use proptest::prelude::*;

    pub fn header() -> Header {
        Header {
            version: 2,
            width: 80,
            height: 24,
            timestamp: 7,
            title: Some("\x1bt".into()),
            command: Some("sh -c true".into()),
            env: serde_json::json!({"TERM": "xterm"}),
        }
    }

    /// Any events, in order of time, some at the same.
    pub fn events() -> impl Strategy<Value = Vec<TapeEvent>> {
        let code =
            prop::sample::select(vec!['o', 'o', 'o', 'i', 'm', 'r', 'x', 'N', 'B', 'P', 'A']);
        let event = (
            prop_oneof![Just(0u64), 0..10_000_000u64],
            code,
            any::<String>(),
            any::<Option<Vec<u8>>>(),
        );
        prop::collection::vec(event, 0..40).prop_map(|events| {
            let mut time_us = 0;
            let timed = |(after_us, code, data, raw): (u64, char, String, Option<Vec<u8>>)| {
                time_us += after_us;
                let data = if code == 'r' { "90x30".into() } else { data };
                TapeEvent {
                    line: Line { time_us, code, data },
                    raw: raw.filter(|_| matches!(code, 'o' | 'i')),
                }
            };
            events.into_iter().map(timed).collect()
        })
    }

    /// All bytes of a format.
    pub fn written(mut format: impl Format, events: &[TapeEvent]) -> String {
        let mut bytes = format.begin(&header());
        events.iter().for_each(|event| bytes.extend(format.event(event)));
        bytes.extend(format.end());
        String::from_utf8(bytes).unwrap()
    }
}
