//! From the keyboard to the shell.

use std::time::{Duration, Instant};

use bg_recorder::event::{Event, Notice};

use super::{Cause, Run};
use crate::config::Secrets;

/// Standard input.
pub enum Input {
    /// It is read.
    Open,
    /// It ended; the session is sent its end-of-file character whenever it has read everything.
    Closed {
        /// When the next one is due.
        next: Instant,
        /// How long to wait after it.
        pause: Duration,
    },
    /// Nothing more is taken.
    Shut,
}

impl Run<'_> {
    pub(super) fn read_input(&mut self) -> Result<(), Cause> {
        let read = match rustix::io::read(rustix::stdio::stdin(), &mut self.buffer) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(()),
            // A terminal that hung up reads EIO.
            Ok(0) | Err(_) => return self.input_ended(),
            Ok(read) => read,
        };
        let prompt = self.relay.pty.secret_entry();
        let prompt =
            prompt.inspect_err(|_| self.unreleased += read as u64).map_err(Cause::System)?;
        let secret = prompt && self.relay.secrets == Secrets::Redact;
        let bytes = self.buffer.get(..read).unwrap_or_default();
        let notice = Notice::Redacted { bytes: read as u64 };
        let event = if secret { Event::Notice(&notice) } else { Event::Input(bytes) };
        if let Err(e) = self.relay.scribe.recorder().accept(event) {
            self.unreleased += read as u64;
            return Err(Cause::Recorder(e));
        }
        self.to_shell.push(bytes);
        let pty = &self.relay.pty;
        self.to_shell.flush(|bytes| pty.write(bytes)).map_err(Cause::System)?;
        if prompt || self.state.full_screen() {
            self.relay.tap.typed_elsewhere(bytes.len());
        } else {
            self.relay.tap.typed(bytes);
        }
        Ok(())
    }

    fn input_ended(&mut self) -> Result<(), Cause> {
        self.relay
            .scribe
            .recorder()
            .accept(Event::Notice(&Notice::StdinClosed))
            .map_err(Cause::Recorder)?;
        if self.terminal {
            self.input = Input::Shut;
            return self.end(Cause::HangUp);
        }
        self.input = Input::Closed { next: Instant::now(), pause: EOF_PAUSE_MIN };
        Ok(())
    }

    /// Returns whether an end-of-file character may follow now: what was typed before it is on its way.
    pub(super) fn takes_end_of_input(&self) -> bool {
        self.to_shell.is_empty() && !self.output_ended && self.ended.is_none()
    }

    /// Gives a session whose standard input has ended its end-of-file character (termios(3), VEOF) whenever it
    /// has read all before it: an ended pipe stays ended for every program that reads it.
    pub(super) fn end_of_input(&mut self) -> Result<(), Cause> {
        let Input::Closed { next, pause } = self.input else { return Ok(()) };
        if Instant::now() < next || !self.takes_end_of_input() {
            return Ok(());
        }
        self.input =
            Input::Closed { next: Instant::now() + pause, pause: EOF_PAUSE_MAX.min(pause * 2) };
        if let Some(character) = self.relay.pty.end_of_file().map_err(Cause::System)? {
            self.relay
                .scribe
                .recorder()
                .accept(Event::Input(&[character]))
                .map_err(Cause::Recorder)?;
            self.to_shell.push(&[character]);
        }
        Ok(())
    }
}

const EOF_PAUSE_MIN: Duration = Duration::from_millis(50);
const EOF_PAUSE_MAX: Duration = Duration::from_secs(1);
