//! From the keyboard to the shell, or from whatever standard input is.

use std::io;
use std::time::Duration;

use bg_recorder::event::{Event, Notice, Sign};

use super::{Cause, Run, Secrets};
use crate::session::Reading;
use crate::terminal::Typed;
use crate::to_shell::ToShell;

/// Standard input.
pub enum Input {
    /// It is read.
    Open,
    /// It ended; the session's ends when somebody has read all before it.
    Ended {
        /// When that is looked at again.
        next: Duration,
        /// How long to wait after that.
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
        if self.relay.inlet.is_some() { self.fed(read) } else { self.typed(read) }
    }

    fn typed(&mut self, read: usize) -> Result<(), Cause> {
        let (hidden, by) = self.hidden(read)?;
        self.accept_typed(read, hidden, by)?;
        self.flush_input()?;
        let elsewhere = if self.state.full_screen() { read } else { hidden };
        if elsewhere > 0 {
            self.tap.typed_elsewhere(elsewhere);
        }
        let line = self.buffer.get(elsewhere..read).unwrap_or_default();
        self.tap.typed(line, self.relay.clock.now());
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

    /// Takes what nobody types: no byte of it is a key.
    fn fed(&mut self, read: usize) -> Result<(), Cause> {
        let bytes = self.buffer.get(..read).unwrap_or_default();
        if let Err(e) = self.relay.tape.accept(Event::Input(bytes)) {
            self.unreleased += read as u64;
            return Err(Cause::Recorder(e));
        }
        self.tap.fed(bytes, self.relay.clock.now());
        self.to_shell.push(bytes);
        self.flush_input()
    }

    /// Writes what the session takes now of what was recorded for it.
    pub(super) fn flush_input(&mut self) -> Result<(), Cause> {
        let Some(inlet) = &self.relay.inlet else {
            let pty = &self.relay.pty;
            return self.to_shell.flush(|bytes| pty.write(bytes)).map_err(Cause::System);
        };
        match self.to_shell.flush(|bytes| inlet.write(bytes)) {
            // All of its readers have closed it.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.shut_inlet(),
            flushed => flushed.map_err(Cause::System),
        }
    }

    fn input_ended(&mut self) -> Result<(), Cause> {
        self.record(Event::Notice(&Notice::StdinClosed))?;
        // The end of a terminal is a hang-up.
        if self.relay.inlet.is_none() {
            self.input = Input::Shut;
            return self.end(Cause::HangUp);
        }
        self.input = Input::Ended { next: self.relay.kernel.monotonic(), pause: END_PAUSE_MIN };
        Ok(())
    }

    /// Ends the session's input when all of it was read: until then it is known how much was not.
    pub(super) fn end_of_input(&mut self) -> Result<(), Cause> {
        let Input::Ended { next, pause } = self.input else { return Ok(()) };
        let now = self.relay.kernel.monotonic();
        let Some(inlet) = self.relay.inlet.as_ref().filter(|_| self.to_shell.is_empty()) else {
            return Ok(());
        };
        if now < next {
            return Ok(());
        }
        if inlet.unread().map_err(Cause::System)? == 0 {
            self.relay.inlet = None;
            self.input = Input::Shut;
        } else {
            self.input = Input::Ended { next: now + pause, pause: END_PAUSE_MAX.min(pause * 2) };
        }
        Ok(())
    }

    /// Nobody reads it any more. What was recorded of it and not read is said: it had no effect.
    pub(super) fn shut_inlet(&mut self) -> Result<(), Cause> {
        let Some(inlet) = self.relay.inlet.take() else { return Ok(()) };
        self.input = Input::Shut;
        let bytes = inlet.unread().map_err(Cause::System)? + self.to_shell.left() as u64;
        self.to_shell = ToShell::default();
        if bytes == 0 { Ok(()) } else { self.record(Event::Notice(&Notice::Unread { bytes })) }
    }
}

const END_PAUSE_MIN: Duration = Duration::from_millis(1);
const END_PAUSE_MAX: Duration = Duration::from_secs(1);
