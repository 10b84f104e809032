//! asciicast v2, for stock players: our own codes are left out.

use bg_recorder::codec::Header;
use bg_recorder::reader::TapeEvent;

use super::{Format, json, seconds};

/// asciicast v2.
#[derive(Debug)]
pub struct Cast;

impl Format for Cast {
    fn begin(&mut self, header: &Header) -> Vec<u8> {
        format!("{}\n", json(header)).into_bytes()
    }

    fn event(&mut self, event: &TapeEvent) -> Vec<u8> {
        let code = event.line.code;
        let data = &event.line.data;
        // Text is empty where the bytes of a character were split: the later event has it whole.
        let known = matches!(code, 'r' | 'm') || matches!(code, 'o' | 'i') && !data.is_empty();
        if !known {
            return Vec::new();
        }
        format!("[{}, \"{code}\", {}]\n", seconds(event.line.time_us), json(data)).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{events, header, written};
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    proptest! {
        #[test]
        fn every_line_is_what_a_stock_player_reads(events in events()) {
            let text = written(Cast, &events);
            let mut lines = text.lines();
            let first: Header = serde_json::from_str(lines.next().unwrap()).unwrap();
            prop_assert_eq!(first, header());
            let mut last = 0.0;
            let mut shown = String::new();
            for line in lines {
                let (time, code, data): (f64, String, String) = serde_json::from_str(line).unwrap();
                prop_assert!(time >= last && ["o", "i", "r", "m"].contains(&code.as_str()));
                last = time;
                if code == "o" { shown.push_str(&data) }
            }
            let all: String = events.iter().filter(|e| e.line.code == 'o').map(|e| e.line.data.as_str()).collect();
            prop_assert_eq!(shown, all);
        }
    }

    #[test]
    fn times_are_exact() {
        let line: Value = serde_json::from_str("[0]").unwrap();
        assert!(line.is_array());
        assert_eq!(seconds(90_000_001), "90.000001");
    }
}
