//! From the shell to the screen: read, accepted, shown, each overlapping with the next.

use std::io;
use std::time::Duration;

use bg_recorder::event::Event;
use bg_recorder::record::RecordError;

use super::{Cause, Run};
use crate::kernel::{Awaited, PollFlags};
use crate::tape::Done;
use crate::terminal::Medium;

impl Run<'_> {
    /// Reads what the session wrote. A flood goes to the scribe; so does what comes while it has something, to keep
    /// the order.
    pub(super) fn read_output(&mut self) -> Result<(), Cause> {
        let read = self.relay.pty.read(&mut self.buffer).map_err(Cause::System)?;
        // Only what was read is touched: clearing 64 KiB for a keystroke would cost more than the rest of it.
        let mut chunk = self.spare.pop().unwrap_or_default();
        chunk.clear();
        chunk.extend_from_slice(self.buffer.get(..read.len).unwrap_or_default());
        self.output_ended = read.ended;
        if self.ended.is_some() {
            self.after_end += read.len;
        }
        if chunk.is_empty() {
            self.spare.push(chunk);
        } else if chunk.len() >= FLOOD || self.relay.scribe.outstanding() > 0 {
            self.relay.scribe.offer(chunk);
        } else {
            let accepted = self.relay.tape.accept(Event::Output(&chunk));
            self.accepted((chunk, accepted))?;
        }
        Ok(())
    }

    /// Takes back what the scribe has had accepted, and what the screen has shown.
    pub(super) fn collect(&mut self) -> Result<(), Cause> {
        while let Some(done) = self.relay.scribe.done().map_err(Cause::System)? {
            self.accepted(done)?;
        }
        while let Some((chunk, shown)) = self.relay.terminal.slow.done().map_err(Cause::System)? {
            self.spare.push(chunk);
            self.shown = self.relay.kernel.monotonic();
            if let Err(e) = shown {
                self.screen_lost(e)?;
            }
        }
        Ok(())
    }

    fn accepted(&mut self, (chunk, accepted): Done<RecordError>) -> Result<(), Cause> {
        if let Err(e) = accepted {
            self.unreleased += chunk.len() as u64;
            return Err(Cause::Recorder(e));
        }
        let written = self.show_at_once(&chunk)?;
        self.state.feed(&chunk);
        self.tap.shown(&chunk, self.relay.clock.now());
        self.question.shown(&chunk);
        self.show_rest(chunk, written);
        Ok(())
    }

    /// Shows a chunk: at once if it is small and the screen takes it, else when the screen's thread comes to it.
    fn show(&mut self, chunk: Vec<u8>) -> Result<(), Cause> {
        let written = self.show_at_once(&chunk)?;
        self.show_rest(chunk, written);
        Ok(())
    }

    /// Writes what the screen takes of a small chunk; returns how much.
    fn show_at_once(&mut self, chunk: &[u8]) -> Result<usize, Cause> {
        let waits = self.relay.terminal.slow.outstanding() > 0;
        if self.screen_lost || chunk.len() >= FLOOD || waits {
            return Ok(0);
        }
        match self.relay.terminal.screen.write(chunk) {
            Ok(written) => Ok(written),
            Err(e) => self.screen_lost(e).map(|()| 0),
        }
    }

    fn show_rest(&mut self, mut chunk: Vec<u8>, written: usize) {
        let stopped = self.screen_stopped();
        let slow = &mut self.relay.terminal.slow;
        // A screen that is lost sees no more, nor does one that has stopped when somebody wants an end now. All of
        // it is recorded.
        if self.screen_lost || (stopped && slow.outstanding() >= SHOWN_MAX) {
            self.spare.push(chunk);
            return;
        }
        drop(chunk.drain(..written.min(chunk.len())));
        if chunk.is_empty() {
            self.spare.push(chunk);
        } else {
            slow.offer(chunk);
        }
    }

    /// After a failure, or where an end could not wait: what the scribe still holds was read, and will not be
    /// released. What is accepted of it is on the tape; the rest is counted, and is a failure.
    pub(super) fn count_unreleased(&mut self) -> Result<(), Cause> {
        let mut counted = Ok(());
        while let Some((chunk, accepted)) = self.relay.scribe.wait() {
            if let Err(e) = accepted {
                self.unreleased += chunk.len() as u64;
                counted = counted.and(Err(Cause::Recorder(e)));
            }
        }
        counted
    }

    /// Gives what was accepted a moment to be shown: after a failure the terminal is soon itself again, and treats
    /// output as its own.
    pub(super) fn show_the_rest(&mut self) {
        let since = self.relay.kernel.monotonic();
        while self.relay.terminal.slow.outstanding() > 0 && self.since(since) < SHOW_PATIENCE {
            let mut bell = [Awaited::new(&self.relay.terminal.slow, PollFlags::IN)];
            let waited = self.relay.kernel.poll(&mut bell, SHOW_LOOK);
            if waited.is_err() || self.relay.terminal.slow.done().is_err() {
                return;
            }
        }
    }

    /// Gives the terminal back as it was taken, whoever ends the session: its programs cannot do it any more. Returns
    /// whether there was anything to give back.
    pub(super) fn give_back(&mut self) -> bool {
        let undo = self.state.give_back();
        let waits = self.relay.terminal.slow.outstanding() > 0;
        let takes_none = self.screen_lost || (waits && self.screen_stopped());
        if undo.is_empty() || takes_none || self.relay.terminal.output != Medium::Terminal {
            return false;
        }
        self.relay.terminal.slow.offer(undo.into_bytes());
        true
    }

    /// Returns whether the screen takes more, or is not waited for any more.
    pub(super) fn screen_has_room(&self) -> bool {
        self.screen_lost
            || self.screen_stopped()
            || self.relay.terminal.slow.outstanding() < SHOWN_MAX
    }

    /// Returns whether somebody wants an end now and the screen has stopped.
    fn screen_stopped(&self) -> bool {
        self.hurry && self.since(self.shown) > STOPPED
    }

    /// Nobody sees the output any more. Who left is one thing, a full disk another: then the output is incomplete, also
    /// where the session has ended meanwhile.
    fn screen_lost(&mut self, e: io::Error) -> Result<(), Cause> {
        self.screen_lost = true;
        let left =
            e.kind() == io::ErrorKind::BrokenPipe || self.relay.terminal.output == Medium::Terminal;
        if left {
            return self.end(Cause::HangUp);
        }
        if self.ended.is_some() && self.ending.is_none() {
            self.ending = Some((Cause::Output(e), self.relay.kernel.monotonic()));
            return Ok(());
        }
        self.end(Cause::Output(e))
    }

    /// Writes what the session takes now, and a line of ours if there is one.
    pub(super) fn flush(&mut self) -> Result<(), Cause> {
        self.flush_input()?;
        if self.warning.is_some() { self.draw_warning() } else { self.rename() }
    }

    /// Draws a line of ours where that breaks no sequence and no full-screen program.
    fn draw_warning(&mut self) -> Result<(), Cause> {
        let terminal = self.relay.terminal.output == Medium::Terminal;
        if terminal && !self.state.between() {
            return Ok(());
        }
        match self.warning.take() {
            Some(line) if !terminal => self.relay.terminal.screen.aside(&line),
            Some(line) if self.state.full_screen() => self.draw_over(&line)?,
            Some(line) => self.show(format!("\r\n{line}\r\n").into_bytes())?,
            None => {}
        }
        Ok(())
    }

    /// Gives the window the session's title; it is taken back with all else.
    pub(super) fn mark(&mut self) -> Result<(), Cause> {
        let terminal = self.relay.terminal.output == Medium::Terminal;
        let Some(title) = self.relay.title.take().filter(|_| terminal) else { return Ok(()) };
        self.state.feed(KEEP_TITLE.as_bytes());
        self.show(format!("{KEEP_TITLE}\x1b]2;{title}\x07").into_bytes())
    }

    /// Gives the window its title anew, where it has one of ours: the end of the session has moved.
    fn rename(&mut self) -> Result<(), Cause> {
        let terminal = self.relay.terminal.output == Medium::Terminal;
        if terminal && !self.state.between() {
            return Ok(());
        }
        match self.title.take().filter(|_| terminal) {
            Some(title) => self.show(format!("\x1b]2;{title}\x07").into_bytes()),
            None => Ok(()),
        }
    }

    /// In a full-screen program the window's title takes a line of ours, the bell rings, and the uppermost line shows it
    /// until the program is asked to draw itself again.
    fn draw_over(&mut self, line: &str) -> Result<(), Cause> {
        let keep = if self.repaint_at.is_none() { KEEP_TITLE } else { "" };
        self.state.feed(keep.as_bytes());
        let cols = usize::from(self.relay.terminal.screen.size().ws_col);
        let top: String = line.chars().take(cols).collect();
        self.repaint_at = Some(self.relay.kernel.monotonic() + READING_TIME);
        let drawn = format!("\x1b7\x1b[1;1H\x1b[0;7m{top}\x1b[m\x1b8");
        self.show(format!("{keep}\x1b]2;{line}\x07\x07{drawn}").into_bytes())
    }
}

/// How long a line of ours stands on a full screen.
const READING_TIME: Duration = Duration::from_secs(10);
/// Puts the window's title aside (xterm ctlseqs).
const KEEP_TITLE: &str = "\x1b[22;0t";
/// How long the screen may take for what it was given, after a failure.
const SHOW_PATIENCE: Duration = Duration::from_secs(1);
/// How often that is looked at.
const SHOW_LOOK: Duration = Duration::from_millis(50);
/// Output of this many bytes is a flood.
const FLOOD: usize = 4_096;
/// The most chunks that wait for the screen before no more is read.
const SHOWN_MAX: usize = 4;
/// A screen that has shown nothing for so long has stopped.
const STOPPED: Duration = Duration::from_secs(1);
