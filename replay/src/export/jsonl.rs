//! One JSON object an event: everything that is on the tape.

use bg_recorder::codec::Header;
use bg_recorder::reader::TapeEvent;
use data_encoding::BASE64;

use super::{Format, json, seconds};

/// JSON lines: `time`, `code`, `data`, and `raw` (base64) where the bytes are not the UTF-8 of `data`.
#[derive(Debug)]
pub struct Jsonl;

impl Format for Jsonl {
    fn begin(&mut self, _: &Header) -> Vec<u8> {
        Vec::new()
    }

    fn event(&mut self, event: &TapeEvent) -> Vec<u8> {
        let raw = event.raw.as_ref().map(|raw| format!(",\"raw\":\"{}\"", BASE64.encode(raw)));
        let time = seconds(event.line.time_us);
        let code = json(&event.line.code);
        let data = json(&event.line.data);
        let raw = raw.unwrap_or_default();
        format!("{{\"time\":{time},\"code\":{code},\"data\":{data}{raw}}}\n").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{events, written};
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    proptest! {
        #[test]
        fn nothing_is_lost(events in events()) {
            let text = written(Jsonl, &events);
            prop_assert_eq!(text.lines().count(), events.len());
            for (line, event) in text.lines().zip(&events) {
                let object: Value = serde_json::from_str(line).unwrap();
                prop_assert_eq!(object["data"].as_str().unwrap(), &event.line.data);
                let raw = object.get("raw").map(|raw| BASE64.decode(raw.as_str().unwrap().as_bytes()).unwrap());
                prop_assert_eq!(&raw, &event.raw);
            }
        }
    }
}
