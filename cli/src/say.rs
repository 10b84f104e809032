//! What is told to a person, on standard error. No other place prints there.

use std::fmt::Arguments;
use std::io::{IsTerminal as _, Write as _, stderr};

use bg_recorder::neutral::{Visible, neutral};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Tells one line, formatted as `println!` does.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}
pub use say;

/// Tells one line. Whatever in it a terminal would act on, a line feed too, is written out: names and reasons come from
/// others, and one of them could otherwise write a line of its own.
pub fn line(text: Arguments<'_>) {
    put(&format!("{}\n", neutral(&text.to_string())));
}

/// Tells several lines. Line feeds and tabs are kept.
pub fn page(text: &str) {
    put(&Visible::default().chunk(text));
}

/// Asks something: the answer is typed behind it.
pub fn question(text: &str) {
    put(&format!("{} ", neutral(text)));
}

/// Tells how far something is, over what was told so before, where standard error is a terminal. No text takes it back.
pub fn progress(text: &str) {
    if is_terminal() {
        put(&format!("\r\x1b[K{}", neutral(text)));
    }
}

/// Returns whether somebody looks at what is told while it is told.
pub fn is_terminal() -> bool {
    stderr().is_terminal()
}

/// Writes, unless nobody takes it for a second: a terminal that stands still holds nothing up. A standard error that is
/// closed, full or hung up has nobody to read it: that ends no session and changes no exit code, as `eprintln!`, which
/// panics then, would.
fn put(text: &str) {
    let mut ready = [PollFd::from_borrowed_fd(rustix::stdio::stderr(), PollFlags::OUT)];
    if !matches!(poll(&mut ready, Some(&PATIENCE)), Ok(1..)) {
        return;
    }
    drop(stderr().write_all(text.as_bytes()));
}

const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
