//! From the shell to the screen.

use bg_recorder::event::{CHUNK_MAX, Event};

use super::{Cause, Run};
use crate::say::say;
use crate::scribe::Accepted;

impl Run<'_> {
    /// Reads what the session wrote. A flood goes to the scribe; so does what comes while it has something, to keep
    /// the order.
    pub(super) fn read_output(&mut self) -> Result<(), Cause> {
        let mut chunk = self.spare.pop().unwrap_or_default();
        chunk.resize(CHUNK_MAX, 0);
        let read = self.relay.pty.read(&mut chunk).map_err(Cause::System)?;
        chunk.truncate(read.len);
        self.output_ended = read.ended;
        if chunk.is_empty() {
            self.spare.push(chunk);
        } else if chunk.len() >= FLOOD || self.relay.scribe.outstanding() > 0 {
            self.relay.scribe.offer(chunk);
        } else {
            let accepted = self.relay.scribe.recorder().accept(Event::Output(&chunk));
            self.show((chunk, accepted))?;
        }
        Ok(())
    }

    /// Releases what the scribe has had accepted.
    pub(super) fn release(&mut self) -> Result<(), Cause> {
        self.relay.scribe.heard();
        while let Some(accepted) = self.relay.scribe.accepted().map_err(Cause::System)? {
            self.show(accepted)?;
        }
        Ok(())
    }

    fn show(&mut self, (chunk, accepted): Accepted) -> Result<(), Cause> {
        if let Err(e) = accepted {
            self.unreleased += chunk.len() as u64;
            return Err(Cause::Recorder(e));
        }
        self.state.feed(&chunk);
        self.spare.push(self.to_screen.swap(chunk));
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Cause> {
        let pty = &self.relay.pty;
        self.to_shell.flush(|bytes| pty.write(bytes)).map_err(Cause::System)?;
        self.draw_warning();
        let screen = &self.relay.screen;
        if self.to_screen.flush(|bytes| screen.write(bytes)).is_err() {
            // Nobody sees the output any more; what is still to come is recorded all the same.
            self.to_screen.clear();
            return self.end(Cause::HangUp);
        }
        Ok(())
    }

    /// Draws a line of ours where that breaks no sequence and no full-screen program: there, the window's title
    /// takes it, and the bell rings.
    fn draw_warning(&mut self) {
        if !self.relay.screen.is_terminal() {
            if let Some(line) = self.warning.take() {
                say!("{line}");
            }
        } else if self.state.between()
            && let Some(line) = self.warning.take()
        {
            let drawn = if self.state.full_screen() {
                format!("\x1b]2;{line}\x07\x07")
            } else {
                format!("\r\n{line}\r\n")
            };
            self.to_screen.push(drawn.as_bytes());
        }
    }
}

/// Output of this many bytes is a flood.
const FLOOD: usize = 4_096;
