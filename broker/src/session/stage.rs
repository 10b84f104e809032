//! The stage of a session: everything that the relay needs, set up before the first key.

use std::io;
use std::sync::atomic::Ordering;

use bg_recorder::clock::{Clock, SystemClock};
use bg_recorder::record::Recorder;
use bg_relay::deadline::Deadline;
use bg_relay::ladder::Ladder;
use bg_relay::outside::Switch as _;
use bg_relay::scribe::Scribe;
use bg_relay::terminal::Terminal;
use bg_relay::{Cause, Outcome, Relay, Secrets};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::term::Term;
use crate::custody::switch::Switch;
use crate::herald::Herald;
use crate::os::contain::Contained;
use crate::os::inlet::Inlet;
use crate::os::kernel::System;
use crate::os::pty::Pty;
use crate::os::pulse::Overdue;
use crate::os::raw::RawMode;
use crate::os::signals::Signals;
use crate::outage::letterbox::Letterbox;

/// Everything of a session but its recorder.
pub(super) struct Stage<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) pty: Pty,
    pub(super) inlet: Option<Inlet>,
    pub(super) contained: Contained,
    pub(super) terminal: Terminal,
    pub(super) signals: Signals,
    pub(super) deadline: Deadline,
    pub(super) ladder: Ladder,
    pub(super) letterbox: Letterbox,
    pub(super) term: Term<'a>,
    pub(super) title: Option<String>,
    pub(super) secrets: Secrets,
    pub(super) switch: Switch,
    pub(super) herald: &'a Herald<'a>,
}

impl Stage<'_> {
    /// Runs the session; gives the recorder back, unless that has failed.
    pub(super) fn perform(mut self, recorder: Recorder) -> (Option<Recorder>, Outcome) {
        let raw = match self.begin() {
            Ok(raw) => raw,
            Err(cause) => return (Some(recorder), Outcome::of(cause)),
        };
        let store = recorder.watch();
        let keys = recorder.key_watch();
        let mut scribe = match Scribe::start(recorder) {
            Ok(scribe) => scribe,
            Err(e) => return (None, Outcome::of(cannot("start the sealing thread", e))),
        };
        let (tape, lane) = scribe.lend();
        let relay = Relay {
            kernel: &System,
            clock: self.clock,
            tape,
            scribe: lane,
            store: &store,
            keys: &keys,
            terminal: self.terminal,
            pty: Box::new(self.pty),
            inlet: self.inlet.map(|inlet| Box::new(inlet) as _),
            contained: Box::new(self.contained),
            signals: Box::new(self.signals),
            deadline: self.deadline,
            ladder: self.ladder,
            letterbox: Box::new(self.letterbox),
            term: Box::new(self.term),
            herald: self.herald,
            switch: &self.switch,
            secrets: self.secrets,
            title: self.title,
        };
        let outcome = relay.run();
        drop(raw);
        (scribe.stop(), outcome)
    }

    fn begin(&mut self) -> Result<Option<RawMode>, Cause> {
        let raw = RawMode::enter().map_err(|e| cannot("make the terminal raw", e))?;
        // What is typed at secret prompts and the signing key pass through this process's memory: no core, no ptrace.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|e| cannot("protect the recorder", e.into()))?;
        self.contained.start(self.overdue()).map_err(|e| cannot("start the session", e))?;
        Ok(raw)
    }
}

impl Stage<'_> {
    /// The deadline and the kill switch hold where the loop hangs, on a disk that never answers.
    fn overdue(&self) -> Overdue {
        let at_us = self.deadline.watched();
        let switch = self.switch.clone();
        Box::new(move || {
            let late = SystemClock.boot_us() >= at_us.load(Ordering::SeqCst);
            if late {
                switch.off("the session is over");
            }
            late || switch.revoked().is_some()
        })
    }
}

fn cannot(what: &str, e: io::Error) -> Cause {
    Cause::System(io::Error::new(e.kind(), format!("cannot {what}: {e}")))
}
