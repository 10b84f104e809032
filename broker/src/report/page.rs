//! A page of Markdown (GitHub's, which every ticket system reads well enough). What comes from anybody else is text and
//! stays text: it ends no table, opens no link and hides nothing.

use bg_recorder::neutral::neutral;

/// A page of blocks, each with a blank line behind it.
pub struct Page(pub String);

impl Page {
    /// Adds a paragraph or a heading, whose foreign text is [`plain`] already.
    pub fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push_str("\n\n");
    }

    pub fn list<'i>(&mut self, items: impl IntoIterator<Item = &'i str>) {
        for item in items {
            self.0.push_str(&format!("- {}\n", plain(item)));
        }
        self.0.push('\n');
    }

    pub fn table(&mut self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        self.row(head.iter().map(|cell| (*cell).to_owned()));
        self.row(head.iter().map(|_| "---".to_owned()));
        for row in rows {
            self.row(row.iter().map(|cell| plain(cell)));
        }
        self.0.push('\n');
    }

    fn row(&mut self, cells: impl Iterator<Item = String>) {
        self.0.push('|');
        for cell in cells {
            self.0.push_str(&format!(" {cell} |"));
        }
        self.0.push('\n');
    }

    /// Adds lines as they are; none of them can end the block.
    pub fn code(&mut self, language: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.0.push_str(&format!("```{language}\n"));
        for line in lines {
            self.0.push_str(&neutral(line).replace('`', "'"));
            self.0.push('\n');
        }
        self.0.push_str("```\n\n");
    }
}

/// Returns text as one line that Markdown shows as it is. CommonMark 2.4: a backslash before punctuation makes it
/// plain, in a table's cell, too. Links that need no brackets are broken up the same way.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in neutral(text).chars() {
        if ESCAPED.contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    let safe = safe.replace("://", "\\://").replace("www.", "www\\.");
    // A line that begins like a heading, a quote or a list is none inside of a paragraph or a cell.
    if safe.trim().is_empty() { "–".to_owned() } else { safe.trim().to_owned() }
}

/// Punctuation that means something in a line of Markdown, or in HTML.
const ESCAPED: &str = "\\`*_[]<>|~&$#!";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counts the pipes that divide cells.
    fn pipes(row: &str) -> usize {
        let mut escaped = false;
        row.chars()
            .filter(|c| {
                let divides = *c == '|' && !escaped;
                escaped = *c == '\\' && !escaped;
                divides
            })
            .count()
    }

    /// Returns whether a character stands there without an escape.
    fn bare(text: &str, which: &str) -> bool {
        let mut escaped = false;
        text.chars().any(|c| {
            let bare = which.contains(c) && !escaped;
            escaped = c == '\\' && !escaped;
            bare
        })
    }

    #[test]
    fn a_cell_shows_what_was_typed() {
        assert_eq!(
            plain("a|b`c\n<!-- [x](http://e) -->"),
            "a\\|b\\`c\\\\n\\<\\!-- \\[x\\](http\\://e) --\\>"
        );
        assert_eq!(plain(" "), "–");
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_table(cells in prop::collection::vec("(\\PC|[|\\\\`\r\n\t<>\\[\\]*_~\u{202e}\u{2028}\u{85}\u{1b}]){0,30}", 3)) {
            let mut page = Page(String::new());
            page.table(&["a", "b", "c"], [cells]);
            let lines: Vec<&str> = page.0.split('\n').collect();
            prop_assert_eq!(lines.len(), 5, "{:?}", page.0);
            prop_assert!(lines[..3].iter().all(|line| pipes(line) == 4), "{:?}", page.0);
            prop_assert!(!bare(lines[2], "`<>[]*_"), "{:?}", page.0);
            let acts = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202e}' | '\u{2028}'));
            prop_assert!(!page.0.contains(acts));
        }

        #[test]
        fn no_text_ends_a_code_block(lines in prop::collection::vec("(\\PC|[`~\r\n]){0,40}", 0..5)) {
            let mut page = Page(String::new());
            page.code("sh", &lines);
            prop_assert_eq!(page.0.matches("```").count(), if lines.is_empty() { 0 } else { 2 });
            prop_assert_eq!(page.0.lines().count(), if lines.is_empty() { 0 } else { lines.len() + 3 });
        }
    }
}
