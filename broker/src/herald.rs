//! What others are told of one session: that it was opened, that its time is nearly over, how it ended.

use crate::claim::Claim;
use crate::notify::{Message, Notifier, Occasion};
use crate::report;
use crate::revocation::Revocation;
use crate::tap::Seen;
use crate::world::World;

/// Tells others about a session with an access; about one without, it says nothing.
pub struct Herald<'a> {
    world: &'a World,
    claim: Option<Claim>,
}

impl<'a> Herald<'a> {
    /// Takes the claim of a session.
    pub fn new(world: &'a World, claim: Option<&Claim>) -> Self {
        Self { world, claim: claim.cloned() }
    }

    /// The credentials are there, and the shell is about to begin.
    pub fn opened(&self) {
        let Some(claim) = &self.claim else { return };
        let occasion = if claim.forced { Occasion::Overridden } else { Occasion::Opened };
        self.tell(occasion, &format!("until {}", claim.deadline));
    }

    /// So many seconds are left.
    pub fn deadline_near(&self, left_s: u64) {
        self.tell(Occasion::DeadlineNear, &format!("{left_s} s left"));
    }

    /// It has ended, and this is known of its access. The report follows.
    pub fn closed(&self, how: &str, revocation: &Revocation, seen: &Seen) {
        let Some(claim) = &self.claim else { return };
        self.tell(Occasion::Closed, how);
        let message = Message::of(occasion(revocation), claim);
        self.notifier().tell(message.detail(&revocation.to_string()));
        report::after(self.world, self.notifier(), claim, seen);
    }

    fn tell(&self, occasion: Occasion, detail: &str) {
        if let Some(claim) = &self.claim {
            self.notifier().tell(Message::of(occasion, claim).detail(detail));
        }
    }

    fn notifier(&self) -> &Notifier {
        self.world.notifier()
    }
}

/// Tells of an access that somebody else than its session has closed, and writes its report.
pub fn late(world: &World, session: bg_recorder::session::SessionId, revocation: &Revocation) {
    let message = Message::new(occasion(revocation)).session(session).detail(&revocation.to_string());
    world.notifier().tell(message);
    report::late(world, world.notifier(), session);
}

fn occasion(revocation: &Revocation) -> Occasion {
    match revocation {
        Revocation::Pending { .. } => Occasion::RevokePending,
        Revocation::None { .. } | Revocation::Revoked { .. } | Revocation::Expired { .. } => {
            Occasion::Revoked
        }
    }
}
