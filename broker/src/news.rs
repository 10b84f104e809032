//! What people are told of one access while it lives and when it ends.

use std::time::Duration;

use bg_recorder::cause::chain;

use crate::claim::Claim;
use crate::notify::{Message, Notifier, Occasion};
use crate::relay::Cause;
use crate::report;
use crate::revocation::Revocation;
use crate::tap::Seen;
use crate::world::World;

/// Tells of one access.
pub struct News<'a> {
    world: &'a World,
    claim: Claim,
    notifier: Notifier,
}

impl<'a> News<'a> {
    /// Begins; delivers what earlier runs left.
    pub fn of(world: &'a World, claim: &Claim) -> Self {
        Self { world, claim: claim.clone(), notifier: Notifier::new(world) }
    }

    /// The credentials are there.
    pub fn opened(&self) {
        let forced = self.claim.forced;
        let occasion = if forced { Occasion::Overridden } else { Occasion::Opened };
        self.notifier
            .tell(Message::of(occasion, &self.claim).detail(&format!("until {}", self.claim.deadline)));
    }

    /// The time is nearly over.
    pub fn deadline_near(&self, left_s: u64) {
        let left = humantime::format_duration(Duration::from_secs(left_s));
        let message = Message::of(Occasion::DeadlineNear, &self.claim);
        self.notifier.tell(message.detail(&format!("{left} left")));
    }

    /// The session has ended, and its access so far as that.
    pub fn closed(&self, cause: &Cause, revocation: &Revocation) {
        self.notifier.tell(Message::of(Occasion::Closed, &self.claim).detail(&ended(cause)));
        if let Some((occasion, text)) = told(revocation) {
            self.notifier.tell(Message::of(occasion, &self.claim).detail(&text));
        }
    }

    /// The tape is sealed: writes the report, and gives first tries a moment.
    pub fn report(self, seen: &Seen) {
        report::after(self.world, &self.notifier, &self.claim, seen);
        self.notifier.finish();
    }
}

/// Returns what is told of the end of an access: nothing where there was none.
pub fn told(revocation: &Revocation) -> Option<(Occasion, String)> {
    match revocation {
        Revocation::None { .. } => None,
        Revocation::Revoked { elapsed_ms, .. } => {
            Some((Occasion::Revoked, format!("proved {elapsed_ms} ms after the end")))
        }
        Revocation::Expired { dead_by, .. } => Some((Occasion::Revoked, format!("by expiry, {dead_by}"))),
        Revocation::Pending { why, dead_by } => {
            Some((Occasion::RevokePending, format!("its credentials may live until {dead_by}: {why}")))
        }
    }
}

fn ended(cause: &Cause) -> String {
    match cause {
        Cause::Exit => "ended by itself".to_owned(),
        Cause::Deadline => "ended by its deadline".to_owned(),
        Cause::HangUp => "ended: its terminal hung up".to_owned(),
        Cause::Signal(name) => format!("ended by {name}"),
        Cause::Revoked(revoked) => format!("revoked by {}: {}", revoked.by, revoked.reason),
        Cause::NoAccess(failure) => format!("the access could not be opened: {failure}"),
        Cause::Recorder(e) => format!("ended, the recorder failed: {}", chain(e)),
        Cause::System(e) => format!("ended by a failure: {e}"),
    }
}
