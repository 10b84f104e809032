//! The pulse of a recorder: a thread says to the keeper that this process is there. Who stops the process stops it, too;
//! a disk that takes its time does not.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use crate::os::words::{BEAT, BEAT_PERIOD};

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
    pub fn start(control: UnixStream) -> io::Result<Self> {
        let (ends, end) = channel();
        thread::Builder::new().name("pulse".into()).spawn(move || beat(control, &end))?;
        Ok(Self { _ends: ends })
    }
}

fn beat(mut control: UnixStream, end: &Receiver<()>) {
    // A keeper that is gone hears nothing, and one that is stopped has heard enough.
    let mut say = || control.write_all(BEAT.as_bytes()).unwrap_or(());
    say();
    while end.recv_timeout(BEAT_PERIOD) == Err(RecvTimeoutError::Timeout) {
        say();
    }
}
