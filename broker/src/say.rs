//! What is told to a person, on standard error.

use std::fmt::Arguments;
use std::io::Write as _;

use bg_recorder::stamp::Stamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Writes one line, unless nobody takes it for a second: a terminal that stands still holds nothing up. A standard
/// error that is closed, full or hung up has nobody to read it: that ends no session, as `eprintln!`, which panics
/// then, would.
pub fn line(text: Arguments<'_>) {
    let text = format!("{text}\n");
    let mut ready = [PollFd::from_borrowed_fd(rustix::stdio::stderr(), PollFlags::OUT)];
    if !matches!(poll(&mut ready, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })), Ok(1..)) {
        return;
    }
    drop(std::io::stderr().write_all(text.as_bytes()));
}

/// Returns a time as a person reads it, in UTC, to the minute that has begun.
pub fn minute(at: Stamp) -> String {
    let text: String = at.to_string().chars().take(16).collect();
    format!("{} UTC", text.replace('T', " "))
}

/// Returns how many approvals those are.
pub fn approvals(count: u64) -> String {
    format!("{count} approval{}", if count == 1 { "" } else { "s" })
}

/// Tells a line, formatted as `println!` does.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}
pub(crate) use say;
