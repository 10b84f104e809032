//! Where playback is shown: exact bytes to whoever reads, or to a terminal; or a painted screen.

use std::io::Write;
use std::time::{Duration, Instant};

use bg_recorder::codec::Header;
use bg_recorder::reader::TapeEvent;

use crate::failure::{Failure, content};
use crate::play::console::RESTORE;
use crate::screen::paint::Painter;
use crate::screen::{Screens, Size};

/// What of a recording may reach a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Its exact bytes, wherever the terminal is large enough.
    Bytes,
    /// Only text, colours and cursor positions.
    Text,
}

/// Shows events.
pub struct Stage<W> {
    out: W,
    theatre: Option<Theatre>,
}

/// A terminal to show on.
struct Theatre {
    size: Size,
    trust: Trust,
    screens: Screens,
    painter: Painter,
    painting: bool,
    dirty: bool,
    painted_at: Option<Instant>,
}

impl<W: Write> Stage<W> {
    /// Shows exact bytes to something that is not a terminal.
    pub fn bare(out: W) -> Self {
        Self { out, theatre: None }
    }

    /// Shows on a terminal of that size.
    ///
    /// # Errors
    /// When the first bytes cannot be written.
    pub fn on_terminal(out: W, size: Size, header: &Header, trust: Trust) -> Result<Self, Failure> {
        let screens = blank(header, size)?;
        let painter = Painter::default();
        let dirty = false;
        let painting = false;
        let theatre = Theatre { size, trust, screens, painter, painting, dirty, painted_at: None };
        let mut stage = Self { out, theatre: Some(theatre) };
        if stage.paints() {
            // What is on the screen scrolls away instead of being overwritten.
            let lines = "\r\n".repeat(size.rows);
            stage.write(&lines)?;
            stage.redraw()?;
        }
        Ok(stage)
    }

    /// Returns whether the recording is painted, now.
    pub fn paints(&self) -> bool {
        self.theatre.as_ref().is_some_and(Theatre::must_paint)
    }

    /// Follows an event without showing it.
    pub fn feed(&mut self, event: &TapeEvent) {
        if let Some(theatre) = &mut self.theatre {
            theatre.screens.feed(event);
        }
    }

    /// Shows an event.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn show(&mut self, event: &TapeEvent) -> Result<(), Failure> {
        self.feed(event);
        if !matches!(event.line.code, 'o' | 'r') {
            return Ok(());
        }
        match &mut self.theatre {
            Some(theatre) if theatre.must_paint() != theatre.painting => self.redraw(),
            Some(theatre) if theatre.painting => {
                theatre.dirty = true;
                Ok(())
            }
            _ if event.line.code == 'o' => self
                .out
                .write_all(event.bytes())
                .and_then(|()| self.out.flush())
                .map_err(Failure::stdout),
            _ => Ok(()),
        }
    }

    /// Goes back to blank screens, to be fed from the start.
    ///
    /// # Errors
    /// Never; see [`Size::blank`].
    pub fn rewind(&mut self, header: &Header) -> Result<(), Failure> {
        if let Some(theatre) = &mut self.theatre {
            theatre.screens = blank(header, theatre.size)?;
        }
        Ok(())
    }

    /// Shows the present screen anew.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn redraw(&mut self) -> Result<(), Failure> {
        let Some(theatre) = &mut self.theatre else { return Ok(()) };
        theatre.painting = theatre.must_paint();
        let bytes = if theatre.painting {
            (theatre.dirty, theatre.painted_at) = (false, Some(Instant::now()));
            let clear = theatre.painter.clear();
            format!(
                "{RESTORE}{clear}{}",
                theatre.painter.draw(theatre.screens.recorded(), theatre.size)
            )
        } else {
            format!("{RESTORE}\x1b[2J\x1b[H{}", theatre.screens.restoring())
        };
        self.write(&bytes)
    }

    /// Returns how long until the painted screen may be drawn again; none when there is nothing to draw.
    pub fn due(&self, now: Instant) -> Option<Duration> {
        let theatre = self.theatre.as_ref().filter(|theatre| theatre.dirty)?;
        let since = theatre.painted_at.map_or(REPAINT, |at| now.saturating_duration_since(at));
        Some(REPAINT.saturating_sub(since))
    }

    /// Draws the painted screen, if it changed and may be drawn again.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn paint(&mut self, now: Instant) -> Result<(), Failure> {
        if self.due(now) == Some(Duration::ZERO) { self.paint_now(now) } else { Ok(()) }
    }

    fn paint_now(&mut self, now: Instant) -> Result<(), Failure> {
        let Some(theatre) = &mut self.theatre else { return Ok(()) };
        (theatre.dirty, theatre.painted_at) = (false, Some(now));
        let bytes = theatre.painter.draw(theatre.screens.recorded(), theatre.size);
        self.write(&bytes)
    }

    /// The terminal has another size.
    ///
    /// # Errors
    /// When nobody takes what is drawn then.
    pub fn fit(&mut self, size: Size) -> Result<(), Failure> {
        let Some(theatre) = &mut self.theatre else { return Ok(()) };
        theatre.size = size;
        theatre.screens.fit(size);
        if theatre.painting || theatre.must_paint() { self.redraw() } else { Ok(()) }
    }

    /// Shows what is still to be shown, and leaves the cursor on a line of its own.
    ///
    /// # Errors
    /// When nobody takes it.
    pub fn finish(&mut self, now: Instant) -> Result<(), Failure> {
        if self.theatre.as_ref().is_some_and(|theatre| theatre.painting && theatre.dirty) {
            self.paint_now(now)?;
        }
        let Some(theatre) = &self.theatre else { return Ok(()) };
        let bytes = match (theatre.painting, theatre.screens.alternate()) {
            (true, _) => format!("{RESTORE}{}", theatre.painter.below()),
            (false, true) => format!("\x18\x1b[?1049l{RESTORE}\r\n"),
            (false, false) if theatre.screens.mid_line() => format!("{RESTORE}\r\n"),
            (false, false) => RESTORE.to_owned(),
        };
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &str) -> Result<(), Failure> {
        self.out
            .write_all(bytes.as_bytes())
            .and_then(|()| self.out.flush())
            .map_err(Failure::stdout)
    }
}

impl Theatre {
    fn must_paint(&self) -> bool {
        self.trust == Trust::Text || !self.screens.recorded_size().fits_in(self.size)
    }
}

fn blank(header: &Header, size: Size) -> Result<Screens, Failure> {
    Screens::blank(Size::of(header), size)
        .map_err(|e| content("the recorded size is not one").because(e))
}

impl<W> std::fmt::Debug for Stage<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let screens = self.theatre.as_ref().map(|theatre| &theatre.screens);
        write!(f, "Stage({screens:?})")
    }
}

/// At most 30 times a second.
const REPAINT: Duration = Duration::from_millis(34);

#[cfg(test)]
mod tests {
    use super::*;
    use bg_recorder::codec::Line;

    fn header(width: u16, height: u16) -> Header {
        Header {
            version: 2,
            width,
            height,
            timestamp: 0,
            title: None,
            command: None,
            env: serde_json::Value::Null,
        }
    }

    fn event(code: char, data: &str, raw: Option<&[u8]>) -> TapeEvent {
        TapeEvent {
            line: Line { time_us: 0, code, data: data.into() },
            raw: raw.map(<[u8]>::to_vec),
        }
    }

    #[test]
    fn exact_bytes_reach_a_pipe_and_nothing_else_does() {
        let mut bytes = Vec::new();
        let mut stage = Stage::bare(&mut bytes);
        stage.show(&event('o', "a\u{fffd}", Some(b"a\xff"))).unwrap();
        stage.show(&event('N', "{}", None)).unwrap();
        stage.finish(Instant::now()).unwrap();
        assert_eq!(bytes, b"a\xff");
    }

    #[test]
    fn a_recording_that_grows_over_the_terminal_is_painted_and_then_not_again() {
        let mut stage =
            Stage::on_terminal(Vec::new(), Size::new(10, 3), &header(10, 3), Trust::Bytes).unwrap();
        stage.show(&event('o', "\x1b]0;t\x07hi", None)).unwrap();
        assert!(!stage.paints() && stage.out.starts_with(b"\x1b]0;t\x07hi"));
        stage.show(&event('r', "20x3", None)).unwrap();
        assert!(stage.paints());
        stage.show(&event('o', "\x1b]0;u\x07", None)).unwrap();
        assert!(stage.due(Instant::now()).is_some_and(|wait| wait <= REPAINT));
        stage.show(&event('r', "10x3", None)).unwrap();
        assert!(!stage.paints());
        assert!(!String::from_utf8_lossy(&stage.out).contains("]0;u"));
    }

    #[test]
    fn an_enlarged_terminal_shows_the_recorded_screen() {
        for trust in [Trust::Bytes, Trust::Text] {
            let (small, large) = (Size::new(7, 2), Size::new(14, 6));
            let mut stage = Stage::on_terminal(Vec::new(), small, &header(12, 4), trust).unwrap();
            let rows = "\x1b[1;1Hfirst      1\x1b[2;1Hsecond     2\x1b[4;1Hfourth";
            stage.show(&event('o', rows, None)).unwrap();
            stage.out.clear();
            stage.fit(large).unwrap();
            let mut terminal = large.blank().unwrap();
            terminal.feed(String::from_utf8(stage.out).unwrap());
            let lines = terminal.screen().visible_lines();
            let shown: Vec<String> = lines.map(|line| line.text().trim_end().to_owned()).collect();
            assert_eq!(shown, ["first      1", "second     2", "", "fourth", "", ""], "{trust:?}");
        }
    }

    #[test]
    fn in_text_nothing_but_text_is_shown() {
        let mut stage =
            Stage::on_terminal(Vec::new(), Size::new(10, 3), &header(10, 3), Trust::Text).unwrap();
        stage.show(&event('o', "\x1b]52;c;aGk=\x07safe", None)).unwrap();
        stage.finish(Instant::now()).unwrap();
        let shown = String::from_utf8_lossy(&stage.out).into_owned();
        assert!(shown.contains("safe") && !shown.contains("]52"));
    }
}
