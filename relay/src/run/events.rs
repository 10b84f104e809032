//! What comes from neither side: signals, the clock, the store.

use std::io;
use std::time::Duration;

use bg_recorder::event::{Event, Notice};
use rustix::termios::Winsize;

use super::input::Input;
use super::{Cause, Run};
use crate::deadline::Due;
use crate::outside::Tidings;
use crate::session::Signal;

impl Run<'_> {
    pub(super) fn signals(&mut self) -> Result<(), Cause> {
        for signal in self.relay.signals.pending() {
            match signal {
                Signal::Resized => self.resize()?,
                Signal::Continued => self.back()?,
                Signal::HungUp => self.end(Cause::HangUp)?,
                Signal::Terminated(name) => self.end(Cause::Signal(name))?,
            }
        }
        Ok(())
    }

    /// While this process was stopped, a shell had the terminal: it is taken again, and the session draws anew.
    fn back(&mut self) -> Result<(), Cause> {
        self.relay.terminal.keyboard.take_again();
        self.redraw()?;
        self.resize()
    }

    /// Has the session draw itself anew. The kernel tells it of a change of size only.
    fn redraw(&mut self) -> Result<(), Cause> {
        let size = self.relay.terminal.screen.size();
        let other = Winsize { ws_xpixel: size.ws_xpixel ^ 1, ..size };
        self.relay.pty.resize(other).map_err(Cause::System)?;
        self.relay.pty.resize(size).map_err(Cause::System)
    }

    /// A full-screen program draws over a line of ours, once that was there to be read.
    fn repaint(&mut self) -> Result<(), Cause> {
        let due = |at: Duration| self.relay.kernel.monotonic() >= at;
        if self.repaint_at.is_some_and(due) && self.ended.is_none() {
            // The title is kept from now on: it is put aside once.
            self.repaint_at = Some(Duration::MAX);
            return if self.state.full_screen() { self.redraw() } else { Ok(()) };
        }
        Ok(())
    }

    /// Once a second: whoever brings this process to the foreground while it runs sends no signal, and others may set
    /// the terminal as they like.
    fn look_at_terminal(&mut self) -> Result<(), Cause> {
        if self.since(self.looked) < TERMINAL_LOOK {
            return Ok(());
        }
        self.looked = self.relay.kernel.monotonic();
        if self.relay.terminal.keyboard.take_again() { self.back() } else { Ok(()) }
    }

    fn resize(&mut self) -> Result<(), Cause> {
        let size = self.relay.terminal.screen.size();
        self.state.resized(size.ws_row);
        let event = Event::Resize { cols: size.ws_col, rows: size.ws_row };
        self.relay.tape.accept(event).map_err(Cause::Recorder)?;
        self.relay.pty.resize(size).map_err(Cause::System)
    }

    /// Begins to end the session; its processes get a moment to say their last.
    pub(super) fn end(&mut self, cause: Cause) -> Result<(), Cause> {
        self.hurry = true;
        self.relay.switch.off("the session is over");
        if self.ending.is_none() && self.ended.is_none() {
            self.ending = Some((cause, self.relay.kernel.monotonic()));
            self.input = Input::Shut;
            self.relay.contained.end().map_err(Cause::System)?;
        }
        Ok(())
    }

    pub(super) fn time(&mut self) -> Result<(), Cause> {
        self.look_at_terminal()?;
        self.repaint()?;
        // In a flood, what tick() does is done by the frames that are accepted.
        if self.relay.scribe.outstanding() == 0 {
            self.relay.tape.tick().map_err(Cause::Recorder)?;
        }
        match self.relay.deadline.due(self.relay.clock.boot_us()) {
            Due::Nothing => {}
            Due::Over => self.end(Cause::Deadline)?,
            Due::Warning(left_s) => {
                let notice = Notice::Deadline { left_s };
                self.record(Event::Notice(&notice))?;
                let left = humantime::format_duration(Duration::from_secs(left_s));
                self.warning = Some(format!("bg-shell: this session ends in {left}"));
                self.relay.herald.tell(Tidings::DeadlineNear(left_s));
            }
        }
        match &self.ending {
            // The keeper did not end it: it is ended by dropping it.
            Some((_, since)) if self.ended.is_none() && self.since(*since) > END_PATIENCE => {
                Err(Cause::System(io::Error::other("the session's processes did not end")))
            }
            _ => self.switch().and_then(|()| self.store()),
        }
    }

    /// Does what was wanted from outside, and tells what happened there.
    fn switch(&mut self) -> Result<(), Cause> {
        for news in self.relay.switch.news() {
            self.record(Event::Notice(&news.notice))?;
            self.warning = news.line.or(self.warning.take());
        }
        match self.relay.switch.revoked() {
            Some(revoked) if self.ending.is_none() && self.ended.is_none() => {
                let notice =
                    Notice::Revoked { by: revoked.by.clone(), reason: revoked.reason.clone() };
                self.record(Event::Notice(&notice))?;
                self.end(Cause::Revoked(revoked))
            }
            _ => Ok(()),
        }
    }
}

/// How often the terminal's settings are looked at.
const TERMINAL_LOOK: Duration = Duration::from_secs(1);
/// How long the keeper may take to end everything: it asks twice before it kills.
const END_PATIENCE: Duration = Duration::from_secs(10);
