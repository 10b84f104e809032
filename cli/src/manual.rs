//! Manual pages.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

/// Writes a page for a program and one for each of its subcommands.
///
/// # Errors
/// When the directory takes no files.
pub fn write(program: Command, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut program = program.disable_help_subcommand(true);
    program.build();
    page(&program, dir)
}

fn page(command: &Command, dir: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        page(subcommand, dir)?;
    }
    let man = Man::new(command.clone()).manual(MANUAL);
    let mut text = Vec::new();
    man.render(&mut text)?;
    fs::write(dir.join(man.get_filename()), readable(&String::from_utf8_lossy(&text)))
}

/// Mends what the library leaves: a heading EXTRA, which tells a reader nothing, examples that are filled as if they
/// were prose, and characters that not every roff takes as they are.
fn readable(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    let mut example = false;
    for line in text.lines() {
        if line.starts_with("  ") != example {
            example = !example;
            page.push_str(if example { ".nf\n" } else { ".fi\n" });
        }
        for c in if line == ".SH EXTRA" { ".SH NOTES" } else { line }.chars() {
            match c.is_ascii() {
                true => page.push(c),
                false => page.push_str(&format!("\\[u{:04X}]", u32::from(c))),
            }
        }
        page.push('\n');
    }
    page
}

const MANUAL: &str = "bg-shell manual";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_subcommands_have_no_page() {
        let program = Command::new("program")
            .after_help("Example:\n  program shown")
            .subcommand(Command::new("shown"))
            .subcommand(Command::new("hidden").hide(true));
        let dir = tempfile::tempdir().unwrap();
        write(program, dir.path()).unwrap();
        let page = fs::read_to_string(dir.path().join("program.1")).unwrap();
        assert!(page.contains(".SH NOTES\n"), "{page}");
        assert!(dir.path().join("program-shown.1").exists());
        assert!(!dir.path().join("program-hidden.1").exists());
    }

    #[test]
    fn examples_keep_their_lines_and_every_character_is_known() {
        let page = readable(".SH EXTRA\nExample:\n  a  b…\n\nMore.\n");
        assert_eq!(page, ".SH NOTES\nExample:\n.nf\n  a  b\\[u2026]\n.fi\n\nMore.\n");
    }
}
