//! A screen drawn row by row into a part of a terminal, with nothing but text, colours and cursor positions.

use avt::{Cell, Color, Line, Pen, Terminal};

use crate::screen::Size;
use bg_recorder::neutral::neutral_cell;

/// Draws what changed since it drew last.
#[derive(Debug, Default)]
pub struct Painter {
    rows: Vec<String>,
    left: usize,
    top: usize,
}

impl Painter {
    /// Returns the bytes that clear a terminal for painting. It then knows of nothing that was drawn.
    pub fn clear(&mut self) -> &'static str {
        self.rows.clear();
        "\x1b[?7l\x1b[0m\x1b[2J"
    }

    /// Returns the bytes that bring a terminal of `size` to show `screen`: its top left, moved as far as the
    /// cursor demands.
    pub fn draw(&mut self, screen: &Terminal, size: Size) -> String {
        let cursor = screen.cursor();
        self.left = follow(self.left, cursor.col, size.cols, screen.size().0);
        self.top = follow(self.top, cursor.row, size.rows, screen.size().1);
        self.rows.resize(size.rows, String::new());
        let mut bytes = String::from("\x1b[?25l");
        for (at, drawn) in self.rows.iter_mut().enumerate() {
            let row = row(screen.screen().line(self.top + at), self.left, size.cols);
            if row != *drawn {
                bytes.push_str(&format!("\x1b[{};1H{row}", at + 1));
                *drawn = row;
            }
        }
        let row = cursor.row.saturating_sub(self.top);
        let col = cursor.col.saturating_sub(self.left);
        bytes.push_str(&format!("\x1b[{};{}H", row + 1, col.min(size.cols.saturating_sub(1)) + 1));
        if cursor.visible {
            bytes.push_str("\x1b[?25h");
        }
        bytes
    }
}

impl Painter {
    /// Returns the bytes that put the cursor on a free line below what was drawn: where nothing stands on the last
    /// rows, nothing scrolls away.
    pub fn below(&self) -> String {
        let blank = |row: &&String| row.trim_start_matches(PLAIN).chars().all(|c| c == ' ');
        let free = self.rows.iter().rev().take_while(blank).count();
        let drawn = self.rows.len() - free;
        if free == 0 { format!("\x1b[{drawn};1H\r\n") } else { format!("\x1b[{};1H", drawn + 1) }
    }
}

/// Returns where a window of `room` begins, so that it has `at` in it, moving as little as can be.
fn follow(begin: usize, at: usize, room: usize, all: usize) -> usize {
    let at = at.min(all.saturating_sub(1));
    let begin = begin.min(at).min(all.saturating_sub(room));
    begin.max((at + 1).saturating_sub(room))
}

/// Returns one row, padded to its full width: erasing to the end of the line in the last column would erase it.
fn row(line: Option<&Line>, left: usize, cols: usize) -> String {
    let mut text = String::new();
    let mut width = 0;
    let mut pen = None;
    let cells = line.map(Line::cells).unwrap_or_default();
    for cell in cells.iter().skip(left).take(cols) {
        if pen != Some(*cell.pen()) {
            text.push_str(&sgr(cell.pen()));
            pen = Some(*cell.pen());
        }
        let (c, cell_cols) = shown(cell, width == 0, cols - width);
        text.extend(c);
        width += cell_cols;
    }
    if pen.is_some_and(|pen| !pen.is_default()) {
        text.push_str(PLAIN);
    }
    text.push_str(&" ".repeat(cols.saturating_sub(width)));
    text
}

/// Returns what to draw of a cell, and its columns. Half of a wide character is drawn as a space.
fn shown(cell: &Cell, first: bool, room: usize) -> (Option<char>, usize) {
    match cell.width() {
        0 if first => (Some(' '), 1),
        0 => (None, 0),
        2 if room < 2 => (Some(' '), 1),
        width => (Some(neutral_cell(cell.char())), width.into()),
    }
}

/// Ends colours and attributes.
const PLAIN: &str = "\x1b[0m";

fn sgr(pen: &Pen) -> String {
    let attributes = [
        (pen.is_bold(), "1"),
        (pen.is_faint(), "2"),
        (pen.is_italic(), "3"),
        (pen.is_underline(), "4"),
        (pen.is_blink(), "5"),
        (pen.is_inverse(), "7"),
        (pen.is_strikethrough(), "9"),
    ];
    let mut codes = vec!["0".to_owned()];
    codes.extend(attributes.into_iter().filter(|(on, _)| *on).map(|(_, code)| code.to_owned()));
    codes.extend(pen.foreground().map(|c| color(c, 30)));
    codes.extend(pen.background().map(|c| color(c, 40)));
    format!("\x1b[{}m", codes.join(";"))
}

fn color(color: Color, base: u16) -> String {
    match color {
        Color::Indexed(n) if n < 8 => (base + u16::from(n)).to_string(),
        Color::Indexed(n) if n < 16 => (base + 52 + u16::from(n)).to_string(),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::RGB(rgb) => format!("{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn painted(text: &str, from: Size, to: Size) -> Vec<String> {
        let mut screen = from.blank().unwrap();
        screen.feed(text);
        let mut real = to.blank().unwrap();
        let mut painter = Painter::default();
        real.feed(painter.clear());
        real.feed(painter.draw(&screen, to));
        rows(&real)
    }

    fn rows(screen: &Terminal) -> Vec<String> {
        screen.screen().visible_lines().map(Line::text).collect()
    }

    #[test]
    fn a_larger_screen_is_cropped_and_follows_the_cursor() {
        let from = Size::new(8, 4);
        let to = Size::new(4, 2);
        assert_eq!(painted("abcdefgh\x1b[H", from, to), ["abcd", "    "]);
        assert_eq!(painted("1\r\n2\r\n3\r\n4", from, to), ["3   ", "4   "]);
        assert_eq!(painted("abcdefg", from, to), ["efg ", "    "]);
    }

    #[test]
    fn half_of_a_wide_character_is_a_space() {
        let from = Size::new(8, 2);
        let to = Size::new(3, 1);
        assert_eq!(painted("ab界\x1b[H", from, to), ["ab "]);
    }

    #[test]
    fn only_changes_are_drawn_again() {
        let size = Size::new(8, 2);
        let mut screen = size.blank().unwrap();
        let mut painter = Painter::default();
        screen.feed("one\r\ntwo");
        painter.draw(&screen, size);
        assert!(!painter.draw(&screen, size).contains("two"));
    }

    #[test]
    fn the_cursor_goes_below_what_stands_there_and_nothing_scrolls_while_there_is_room() {
        let size = Size::new(8, 3);
        let mut screen = size.blank().unwrap();
        let mut painter = Painter::default();
        screen.feed("one\r\ntwo\x1b[H");
        painter.draw(&screen, size);
        assert_eq!(painter.below(), "\x1b[3;1H");
        screen.feed("\x1b[3;1Hthree");
        painter.draw(&screen, size);
        assert_eq!(painter.below(), "\x1b[3;1H\r\n");
    }

    proptest! {
        #[test]
        fn painting_in_full_size_shows_the_same(text in "[a-z \\r\\n]{0,200}|(\\PC|\\x1b\\[[0-9;]{0,6}[a-zA-Z]){0,80}") {
            let size = Size::new(20, 5);
            let mut screen = size.blank().unwrap();
            screen.feed(&text);
            let cells: Vec<String> = rows(&screen).iter().map(|row| row.chars().map(neutral_cell).collect()).collect();
            prop_assert_eq!(painted(&text, size, size), cells);
        }
    }
}
