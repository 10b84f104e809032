//! The pulse of a recorder: a thread says to the keeper that this process is there. Who stops the process stops it, too;
//! a disk that takes its time does not. It also has the keeper end a session that is overdue, where the loop hangs.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::os::words::{BEAT, BEAT_PERIOD, END};

/// Says whether the session should have ended, and closes its access then.
pub type Overdue = Box<dyn Fn() -> bool + Send>;

/// Goes on until it is dropped.
#[derive(Debug)]
pub struct Pulse {
    _ends: Sender<()>,
}

impl Pulse {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(control: UnixStream, overdue: Overdue) -> io::Result<Self> {
        let (ends, end) = channel();
        let beating = thread::Builder::new().name("pulse".into());
        beating.spawn(move || beat(control, &overdue, &end))?;
        Ok(Self { _ends: ends })
    }
}

fn beat(mut control: UnixStream, overdue: &Overdue, end: &Receiver<()>) {
    // A keeper that is gone hears nothing, and one that is stopped has heard enough.
    let mut say = |word: &str| control.write_all(word.as_bytes()).unwrap_or(());
    let mut since = None;
    say(BEAT);
    while end.recv_timeout(BEAT_PERIOD) == Err(RecvTimeoutError::Timeout) {
        say(BEAT);
        since = if overdue() { since.or_else(|| Some(Instant::now())) } else { None };
        if since.is_some_and(|since: Instant| since.elapsed() > OVERDUE_MAX) {
            // The loop would have said it long ago. Said twice, it is one end.
            say(END);
        }
    }
}

/// How long the loop has for an end that is due.
const OVERDUE_MAX: Duration = Duration::from_secs(10);
