//! Virtual terminals that follow a recording.

pub mod paint;

use avt::{InvalidSize, ScreenKind, Terminal};
use bg_recorder::codec::Header;
use bg_recorder::reader::TapeEvent;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns, at least 1.
    pub cols: usize,
    /// Rows, at least 1.
    pub rows: usize,
}

impl Size {
    /// Takes a size, within what a screen here may have.
    pub fn new(cols: usize, rows: usize) -> Self {
        Self { cols: cols.clamp(1, COLS_MAX), rows: rows.clamp(1, ROWS_MAX) }
    }

    /// Returns the size that a recording begins with.
    pub fn of(header: &Header) -> Self {
        Self::new(header.width.into(), header.height.into())
    }

    /// Reads the data of an `r` event.
    pub fn parse(data: &str) -> Option<Self> {
        let (cols, rows) = data.split_once('x')?;
        Some(Self::new(cols.parse().ok()?, rows.parse().ok()?))
    }

    /// Returns whether a screen of this size has room in the other.
    pub fn fits_in(self, other: Self) -> bool {
        self.cols <= other.cols && self.rows <= other.rows
    }

    /// Makes a blank virtual terminal.
    ///
    /// # Errors
    /// Never with sizes made here; the library's type does not know.
    pub fn blank(self) -> Result<Terminal, InvalidSize> {
        Terminal::new(self.cols, self.rows)
    }
}

/// Two screens: the one that was recorded, and the one that a terminal of the auditor's size makes of the same
/// bytes. The second is what seeking must restore, where exact bytes are passed on.
pub struct Screens {
    recorded: Terminal,
    /// None as long as it is the same: following costs most of a long seek.
    shown: Option<Terminal>,
}

impl Screens {
    /// Begins with blank ones.
    ///
    /// # Errors
    /// Never; see [`Size::blank`].
    pub fn blank(recorded: Size, shown: Size) -> Result<Self, InvalidSize> {
        let other = (recorded != shown).then(|| shown.blank()).transpose()?;
        Ok(Self { recorded: recorded.blank()?, shown: other })
    }

    /// Follows one event.
    pub fn feed(&mut self, event: &TapeEvent) {
        match event.line.code {
            'o' => {
                self.recorded.feed(event.line.data.as_str());
                if let Some(shown) = &mut self.shown {
                    shown.feed(event.line.data.as_str());
                }
            }
            'r' => {
                if let Some(size) = Size::parse(&event.line.data) {
                    self.part();
                    self.recorded.resize(size.cols, size.rows);
                }
            }
            _ => {}
        }
    }

    /// The auditor's terminal has another size. What a smaller one made of the bytes is of no use then: it wrapped
    /// and scrolled. It begins anew from the recorded screen.
    pub fn fit(&mut self, size: Size) {
        if let Ok(mut shown) = size.blank() {
            shown.feed(self.recorded.dump());
            self.shown = Some(shown);
        }
    }

    /// From here on the two differ.
    fn part(&mut self) {
        // A size that the first one has is never refused.
        if self.shown.is_none()
            && let Ok(mut shown) = self.recorded_size().blank()
        {
            shown.feed(self.recorded.dump());
            self.shown = Some(shown);
        }
    }

    fn shown(&self) -> &Terminal {
        self.shown.as_ref().unwrap_or(&self.recorded)
    }

    /// Returns the recorded screen.
    pub fn recorded(&self) -> &Terminal {
        &self.recorded
    }

    /// Returns the size of the recorded screen.
    pub fn recorded_size(&self) -> Size {
        let (cols, rows) = self.recorded.size();
        Size { cols, rows }
    }

    /// Returns what brings the auditor's terminal, once cleared, to the present state.
    ///
    /// The dump enters the alternate screen without saving the cursor there and then, for it has saved it before
    /// with DECSC. Some terminals (tmux) keep the cursor that 1049 saves apart from that one.
    pub fn restoring(&self) -> String {
        let dump = self.shown().dump();
        if self.alternate() { dump.replacen("\x1b[?1047h", "\x1b[?1049h", 1) } else { dump }
    }

    /// Returns whether the auditor's terminal is on its alternate screen, if it follows exact bytes.
    pub fn alternate(&self) -> bool {
        self.shown().active_screen_kind() == ScreenKind::Alternate
    }

    /// Returns whether the auditor's cursor stands inside of a line.
    pub fn mid_line(&self) -> bool {
        self.shown().cursor().col > 0
    }
}

impl std::fmt::Debug for Screens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Screens({:?} in {:?})", self.recorded.size(), self.shown().size())
    }
}

/// A recorded size is data from a tape: without a limit it would be a way to ask for all memory.
const COLS_MAX: usize = 2_000;
const ROWS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_limits() {
        assert_eq!(Size::parse("65535x0"), Some(Size { cols: COLS_MAX, rows: 1 }));
        assert_eq!([Size::parse("80"), Size::parse("ax9"), Size::parse("-1x9")], [None; 3]);
    }

    #[test]
    fn screens_of_one_size_part_when_one_is_resized() {
        let mut screens = Screens::blank(Size::new(4, 2), Size::new(4, 2)).unwrap();
        let event = |code, data: &str| TapeEvent {
            line: bg_recorder::codec::Line { time_us: 0, code, data: data.into() },
            raw: None,
        };
        screens.feed(&event('o', "ab"));
        screens.feed(&event('r', "9x3"));
        screens.feed(&event('o', "cd"));
        assert_eq!(screens.shown().size(), (4, 2));
        assert!(screens.restoring().contains("abcd"));
        screens.fit(Size::new(9, 3));
        assert_eq!(screens.shown().size(), screens.recorded().size());
    }

    #[test]
    fn both_screens_follow_and_only_one_is_resized() {
        let mut screens = Screens::blank(Size::new(4, 2), Size::new(8, 2)).unwrap();
        let event = |code, data: &str| TapeEvent {
            line: bg_recorder::codec::Line { time_us: 0, code, data: data.into() },
            raw: None,
        };
        screens.feed(&event('o', "abcdef"));
        let rows: Vec<String> =
            screens.recorded().screen().visible_lines().map(avt::Line::text).collect();
        assert_eq!(rows, ["abcd", "ef  "]);
        screens.feed(&event('r', "6x3"));
        assert_eq!(screens.recorded_size(), Size::new(6, 3));
        assert!(!screens.alternate());
        screens.feed(&event('o', "\x1b[?1049hx\x1b[?1049l\x1b[?1049h"));
        assert!(screens.restoring().contains("\x1b[?1049h"));
        screens.feed(&event('o', "\x1b[?1049l"));
        assert!(
            screens.restoring().contains("abcdef") && screens.mid_line() && !screens.alternate()
        );
    }
}
