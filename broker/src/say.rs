//! What is told to a person, on standard error.

use std::fmt::Arguments;
use std::io::Write as _;

/// Writes one line. A standard error that is closed, full or hung up has nobody to read it: that ends no session,
/// as `eprintln!`, which panics then, would.
pub fn line(text: Arguments<'_>) {
    let text = format!("{text}\n");
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Tells a line, formatted as `println!` does.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}
pub(crate) use say;
