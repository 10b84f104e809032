//! From the keyboard to the shell.

use std::time::Duration;

use bg_recorder::event::{Event, Notice, Sign};

use super::{Cause, Run, Secrets};
use crate::session::Reading;
use crate::terminal::{Medium, Typed};

/// Standard input.
pub enum Input {
    /// It is read.
    Open,
    /// It ended; the session is sent its end-of-file character whenever it has read everything.
    Closed {
        /// When the next one is due.
        next: Duration,
        /// How long to wait after it.
        pause: Duration,
    },
    /// Nothing more is taken.
    Shut,
}

impl Run<'_> {
    pub(super) fn read_input(&mut self) -> Result<(), Cause> {
        let read = match self.relay.terminal.keyboard.read(&mut self.buffer) {
            Typed::Nothing => return Ok(()),
            Typed::Ended => return self.input_ended(),
            Typed::Bytes(read) => read,
        };
        let (hidden, by) = self.hidden(read)?;
        self.accept_typed(read, hidden, by)?;
        let pty = &self.relay.pty;
        self.to_shell.flush(|bytes| pty.write(bytes)).map_err(Cause::System)?;
        let elsewhere = if self.state.full_screen() { read } else { hidden };
        if elsewhere > 0 {
            self.tap.typed_elsewhere(elsewhere);
        }
        self.tap.typed(self.buffer.get(elsewhere..read).unwrap_or_default());
        Ok(())
    }

    /// Returns how much of the beginning of what was typed is a secret, and what says so.
    fn hidden(&mut self, read: usize) -> Result<(usize, Option<Sign>), Cause> {
        let reading = self.relay.pty.reading();
        let reading =
            reading.inspect_err(|_| self.unreleased += read as u64).map_err(Cause::System)?;
        let answer = self.question.answered(self.buffer.get(..read).unwrap_or_default());
        Ok(match reading {
            Reading::Lines => (0, None),
            Reading::Secret => (read, None),
            Reading::Inner => (read, Some(Sign::Inner)),
            Reading::Keys => answer.map_or((0, None), |(hidden, sign)| (hidden, Some(sign))),
        })
    }

    /// Has it recorded, a secret by its length, and puts it on its way.
    fn accept_typed(&mut self, read: usize, hidden: usize, by: Option<Sign>) -> Result<(), Cause> {
        let redacts = self.relay.secrets == Secrets::Redact;
        let bytes = self.buffer.get(..read).unwrap_or_default();
        let (secret, plain) = bytes.split_at(if redacts { hidden } else { 0 });
        let notice = Notice::Redacted { bytes: secret.len() as u64, by };
        let mut left = read;
        for (event, bytes) in [(Event::Notice(&notice), secret), (Event::Input(plain), plain)] {
            if bytes.is_empty() {
                continue;
            }
            if let Err(e) = self.relay.tape.accept(event) {
                self.unreleased += left as u64;
                return Err(Cause::Recorder(e));
            }
            self.to_shell.push(bytes);
            left -= bytes.len();
        }
        Ok(())
    }

    fn input_ended(&mut self) -> Result<(), Cause> {
        self.record(Event::Notice(&Notice::StdinClosed))?;
        // The end of a terminal is a hang-up.
        if self.relay.terminal.input == Medium::Terminal {
            self.input = Input::Shut;
            return self.end(Cause::HangUp);
        }
        self.input = Input::Closed { next: self.relay.kernel.monotonic(), pause: EOF_PAUSE_MIN };
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
        if self.relay.kernel.monotonic() < next || !self.takes_end_of_input() {
            return Ok(());
        }
        self.input = Input::Closed {
            next: self.relay.kernel.monotonic() + pause,
            pause: EOF_PAUSE_MAX.min(pause * 2),
        };
        if let Some(character) = self.relay.pty.end_of_file().map_err(Cause::System)? {
            self.record(Event::Input(&[character]))?;
            self.to_shell.push(&[character]);
        }
        Ok(())
    }
}

const EOF_PAUSE_MIN: Duration = Duration::from_millis(50);
const EOF_PAUSE_MAX: Duration = Duration::from_secs(1);
