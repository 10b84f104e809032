//! The text as a person saw it: what scrolled by, and what was left on the screen.

use avt::Terminal;
use avt::observer::Transcript;
use bg_recorder::codec::Header;
use bg_recorder::reader::TapeEvent;

use super::Format;
use crate::screen::Size;
use bg_recorder::neutral::neutral;

/// Plain text from a virtual terminal. Lines that the terminal wrapped are whole again; trailing spaces are not
/// kept. What was on the alternate screen is not part of it.
#[derive(Default)]
pub struct Text {
    terminal: Option<Terminal>,
    transcript: Transcript,
}

impl Format for Text {
    fn begin(&mut self, header: &Header) -> Vec<u8> {
        // A size made by Size is never one that is refused.
        self.terminal = Size::of(header).blank().ok();
        Vec::new()
    }

    fn event(&mut self, event: &TapeEvent) -> Vec<u8> {
        let Some(terminal) = &mut self.terminal else { return Vec::new() };
        let lines = match event.line.code {
            'o' => terminal.feed_with(event.line.data.as_str(), &mut self.transcript),
            'r' => match Size::parse(&event.line.data) {
                Some(size) => terminal.resize_with(size.cols, size.rows, &mut self.transcript),
                None => Vec::new(),
            },
            _ => event.missing().map_or(Vec::new(), |missing| {
                terminal.feed_with(format!("\r\n[{missing}]\r\n"), &mut self.transcript)
            }),
        };
        joined(&lines)
    }

    fn end(&mut self) -> Vec<u8> {
        let transcript = std::mem::take(&mut self.transcript);
        self.terminal.take().map_or(Vec::new(), |terminal| joined(&transcript.finish(&terminal)))
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text(..)")
    }
}

fn joined(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [neutral(line), "\n".to_owned()]).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{events, written};
    use super::*;
    use bg_recorder::codec::Line;
    use proptest::prelude::*;

    #[test]
    fn what_scrolled_by_is_there_and_what_was_overwritten_is_not() {
        let output: String =
            (0..40).map(|n| format!("\x1b[3{}mline {n}\x1b[0m   \r\n", n % 8)).collect();
        let event = |data: &str| TapeEvent {
            line: Line { time_us: 0, code: 'o', data: data.into() },
            raw: None,
        };
        let text = written(
            Text::default(),
            &[event(&output), event("50%\r100%\x1b[?1049hvim\x1b[?1049l")],
        );
        assert!(
            text.starts_with("line 0\nline 1\n") && text.ends_with("line 39\n100%\n"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn it_is_always_harmless(events in events()) {
            let text = written(Text::default(), &events);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
