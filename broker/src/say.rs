//! What is told to a person, on standard error.

use std::fmt::Arguments;
use std::io::Write as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Writes one line, unless nobody takes it for a second: a terminal that stands still holds nothing up. A standard error that is closed, full or hung up has nobody to read it: that ends no session,
/// as `eprintln!`, which panics then, would.
pub fn line(text: Arguments<'_>) {
    let text = format!("{text}\n");
    let mut ready = [PollFd::from_borrowed_fd(rustix::stdio::stderr(), PollFlags::OUT)];
    if !matches!(poll(&mut ready, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })), Ok(1..)) {
        return;
    }
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Tells a line, formatted as `println!` does.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}
pub(crate) use say;
