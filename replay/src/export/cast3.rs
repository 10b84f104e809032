//! asciicast v3: times are the intervals between events.

use bg_recorder::codec::Header;
use bg_recorder::reader::TapeEvent;
use serde_json::{Map, Value, json as value};

use super::{Format, json, seconds};

/// asciicast v3. Intervals are differences of whole microseconds, so that their sum is exact.
#[derive(Debug, Default)]
pub struct Cast3 {
    last_us: u64,
}

impl Format for Cast3 {
    fn begin(&mut self, header: &Header) -> Vec<u8> {
        let mut term = Map::new();
        term.insert("cols".into(), header.width.into());
        term.insert("rows".into(), header.height.into());
        if let Some(kind) = header.env.get("TERM").and_then(Value::as_str) {
            term.insert("type".into(), kind.into());
        }
        let mut line = value!({"version": 3, "term": term, "timestamp": header.timestamp});
        if let Some(object) = line.as_object_mut() {
            object.extend(
                header.title.clone().map(|title| ("title".to_owned(), Value::String(title))),
            );
            object.extend(
                header.command.clone().map(|run| ("command".to_owned(), Value::String(run))),
            );
            object.extend(other_env(&header.env).map(|env| ("env".to_owned(), Value::Object(env))));
        }
        format!("{}\n", json(&line)).into_bytes()
    }

    fn event(&mut self, event: &TapeEvent) -> Vec<u8> {
        let code = event.line.code;
        let data = &event.line.data;
        // Text is empty where the bytes of a character were split: the later event has it whole.
        let known =
            matches!(code, 'r' | 'm' | 'x') || matches!(code, 'o' | 'i') && !data.is_empty();
        if !known {
            return Vec::new();
        }
        let interval_us = event.line.time_us.saturating_sub(self.last_us);
        self.last_us = event.line.time_us;
        format!("[{}, \"{code}\", {}]\n", seconds(interval_us), json(data)).into_bytes()
    }
}

/// Returns the environment without `TERM`, which has a place of its own; its values must be strings.
fn other_env(env: &Value) -> Option<Map<String, Value>> {
    let rest = env.as_object()?.iter().filter(|(name, value)| *name != "TERM" && value.is_string());
    let rest: Map<String, Value> =
        rest.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{events, written};
    use super::*;
    use proptest::prelude::*;

    /// Reads seconds as microseconds, without floats.
    fn micros(line: &str) -> u64 {
        let text: String = line.chars().filter(char::is_ascii_digit).collect();
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn intervals_sum_to_the_exact_time(events in events()) {
            let text = written(Cast3::default(), &events);
            let mut lines = text.lines();
            let first: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
            prop_assert_eq!(&first["term"]["type"], "xterm");
            let known = |e: &&TapeEvent| "rmx".contains(e.line.code) || "oi".contains(e.line.code) && !e.line.data.is_empty();
            let mut sum_us = 0;
            let mut expected = events.iter().filter(known);
            for line in lines {
                let (_, code, data): (f64, String, String) = serde_json::from_str(line).unwrap();
                sum_us += micros(line.split(',').next().unwrap());
                let event = expected.next().unwrap();
                prop_assert_eq!((sum_us, code, &data), (event.line.time_us, event.line.code.to_string(), &event.line.data));
            }
            prop_assert!(expected.next().is_none());
        }
    }
}
