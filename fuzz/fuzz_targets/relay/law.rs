//! What must hold, whatever happens.

use bg_recorder::event::{Event, Notice};
use bg_relay::modes::GIVE_BACK;
use bg_relay::{Cause, Outcome};

use crate::world::{OURS, now_us};

/// What is known of a run.
#[derive(Default)]
pub struct Law {
    /// What was read from the keyboard.
    pub typed: Vec<u8>,
    /// How much of it the recorder has accepted, or refused.
    judged: usize,
    refused_typed: u64,
    /// What the shell may get: what was accepted for it, and how much of that it took.
    for_shell: Vec<u8>,
    took: usize,
    /// How much of what it took nobody has read.
    pub unread: u64,
    /// What was read from the session, and how much of it the recorder has accepted, or refused.
    pub output: Vec<u8>,
    judged_output: usize,
    refused_output: u64,
    accepted: Vec<u8>,
    /// How much of what was accepted was given to the screen.
    shown: usize,
    /// Some was left out: the screen is lost, or stands still while somebody wants an end.
    holes: bool,
    /// What is left of a line of ours, and how many of them there were.
    own: Vec<u8>,
    own_lines: usize,
    /// Something was refused: nothing may be released after it that was not accepted before.
    pub refusals: u64,
    told_to_end: bool,
    /// Somebody wants an end now.
    pub hurried: bool,
    pub ended: bool,
    pub interrupted: bool,
    turns: u64,
    idle: u64,
    idle_us: u64,
    over_us: Option<u64>,
}

impl Law {
    /// A turn begins. One in which nothing could be done, but that did not wait, is idle: those are few.
    pub fn turn(&mut self, eventful: bool, waited_us: u64, over: bool) {
        self.turns += 1;
        (self.idle, self.idle_us) =
            if eventful { (0, 0) } else { (self.idle + 1, self.idle_us + waited_us) };
        let allowed = 50 + 40 * self.idle_us / 1_000_000;
        assert!(
            self.idle <= allowed,
            "the relay spins: {} turns in {} us",
            self.idle,
            self.idle_us
        );
        if over {
            let since_us = *self.over_us.get_or_insert_with(now_us);
            assert!(now_us() - since_us < OVER_MAX_US, "the session does not end");
            assert!(self.turns < TURNS_MAX, "the relay turns for ever");
        }
    }

    /// The keyboard is read: not after the session was told to end.
    pub fn reads_key(&mut self) {
        assert!(!self.told_to_end && !self.ended, "a key is read of a session that ends");
        assert!(self.took == self.for_shell.len(), "a key is read before the shell had the last");
    }

    /// The recorder has taken an event.
    pub fn accepted(&mut self, event: &Event<'_>) {
        match event {
            Event::Output(bytes) => {
                self.judges_output(bytes);
                self.accepted.extend_from_slice(bytes);
            }
            Event::Input(bytes) => {
                assert!(self.typed[self.judged..].starts_with(bytes), "another key is recorded");
                self.judged += bytes.len();
                self.for_shell.extend_from_slice(bytes);
            }
            Event::Notice(Notice::Redacted { bytes, .. }) if *bytes > 0 => {
                let secret = &self.typed[self.judged..][..*bytes as usize];
                self.for_shell.extend_from_slice(secret);
                self.judged += secret.len();
            }
            Event::Notice(Notice::Unread { bytes }) => {
                let kept = self.unread + (self.for_shell.len() - self.took) as u64;
                assert_eq!(*bytes, kept, "it is not known how much was read");
                self.took = self.for_shell.len();
            }
            _ => {}
        }
    }

    /// It has not.
    pub fn refused(&mut self, event: &Event<'_>) {
        self.refusals += 1;
        match event {
            Event::Output(bytes) => {
                self.judges_output(bytes);
                self.refused_output += bytes.len() as u64;
            }
            Event::Input(_) | Event::Notice(Notice::Redacted { bytes: 1.., .. }) => {
                self.refused_typed += (self.typed.len() - self.judged) as u64;
                self.judged = self.typed.len();
            }
            _ => {}
        }
    }

    /// The recorder is given output in the order in which it was read.
    fn judges_output(&mut self, bytes: &[u8]) {
        assert!(
            self.output[self.judged_output..].starts_with(bytes),
            "output is recorded out of order"
        );
        self.judged_output += bytes.len();
    }

    /// The shell is offered input.
    pub fn reaches_shell(&mut self, bytes: &[u8]) {
        assert!(
            self.for_shell[self.took..].starts_with(bytes),
            "unrecorded input reaches the shell"
        );
    }

    /// It has taken so much of it.
    pub fn took(&mut self, len: usize) {
        self.took += len;
    }

    /// The screen is offered output, or a line of ours.
    pub fn reaches_screen(&mut self, bytes: &[u8]) {
        if self.own.starts_with(bytes) && !bytes.is_empty() || begins_own(bytes) {
            return;
        }
        if self.told_to_end || self.ended {
            // Chunks may be left out of a screen that stands still.
            let here = self.accepted[self.shown..]
                .windows(bytes.len().max(1))
                .position(|part| part == bytes);
            let skipped = here.expect("unrecorded or disordered output reaches the screen");
            self.holes |= skipped > 0;
            self.shown += skipped;
        }
        assert!(
            self.accepted[self.shown..].starts_with(bytes),
            "unrecorded output reaches the screen"
        );
    }

    /// So much of it was drawn, or will be.
    pub fn drew(&mut self, bytes: &[u8], len: usize) {
        if self.own.starts_with(bytes) && !bytes.is_empty() {
            self.own.drain(..len);
        } else if begins_own(bytes) {
            self.own = bytes[len..].to_vec();
            self.own_lines += 1;
        } else {
            self.shown += len;
        }
    }

    /// Memory is bounded, whatever the session writes.
    pub fn waits(&self, sealing: usize, showing: usize) {
        let bounded = sealing <= 5 && showing <= 12 + self.own_lines;
        assert!(bounded, "{sealing} chunks wait to be sealed, {showing} to be shown");
    }

    /// The session is told to end: once.
    pub fn ends(&mut self) {
        assert!(!self.told_to_end, "a session is told twice");
        self.told_to_end = true;
    }

    /// The relay is done. A lost scribe is a recorder that panicked.
    pub fn verdict(&self, outcome: &Outcome, scribe_lost: bool) {
        if scribe_lost {
            // It is asked for nothing more: `recover` finds what it left.
            return;
        }
        let typed_unjudged = (self.typed.len() - self.judged) as u64;
        let lost = self.refused_output + self.refused_typed + typed_unjudged;
        assert_eq!(outcome.unreleased, lost, "{:?}", outcome.cause);
        assert_eq!(self.output.len(), self.judged_output, "output that nobody recorded or counted");
        // Of these the session declares a gap.
        assert!(
            outcome.unreleased == 0 || failed(&outcome.cause),
            "a loss that nobody says: {outcome:?}"
        );
        if self.refusals > 0 {
            assert!(failed(&outcome.cause), "refused, and ended as {:?}", outcome.cause);
        }
    }

    /// All that was accepted was shown, unless somebody wanted an end.
    pub fn all_shown(&self) {
        assert!(
            self.holes || self.hurried || self.shown == self.accepted.len(),
            "accepted, and never shown"
        );
    }
}

fn failed(cause: &Cause) -> bool {
    matches!(cause, Cause::Recorder(_) | Cause::System(_) | Cause::Outage(_))
}

fn begins_own(bytes: &[u8]) -> bool {
    // The terminal is given back; CAN ends what was open.
    if bytes.strip_prefix(b"\x18").unwrap_or(bytes).starts_with(GIVE_BACK.as_bytes()) {
        return true;
    }
    ["\r\n", "\x1b]2;", "\x1b[22;0t\x1b]2;"].iter().any(|before| {
        bytes.strip_prefix(before.as_bytes()).is_some_and(|line| line.starts_with(OURS.as_bytes()))
    })
}

const TURNS_MAX: u64 = 100_000;
const OVER_MAX_US: u64 = 900_000_000;
