//! What comes from neither side: signals, the clock, the store.

use std::io;
use std::time::Duration;

use bg_recorder::event::{Event, Notice};

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
                Signal::HungUp => self.end(Cause::HangUp)?,
                Signal::Terminated(name) => self.end(Cause::Signal(name))?,
            }
        }
        Ok(())
    }

    fn resize(&mut self) -> Result<(), Cause> {
        let size = self.relay.terminal.screen.size();
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

/// How long the keeper may take to end everything.
const END_PATIENCE: Duration = Duration::from_secs(5);
