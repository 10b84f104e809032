//! What others are told of one session: that it was opened, that its time is nearly over, how it ended.

use std::io;

use bg_recorder::facts::case::Fact;
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;

use crate::facts::claim::Claim;
use crate::notify::{Message, Notifier, Occasion};
use crate::outage::extended::{self, Extended};
use crate::outage::letterbox::Granted;
use crate::report;
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
        self.tell(Occasion::Opened, &format!("until {}", claim.deadline));
    }

    /// So many seconds are left.
    pub fn deadline_near(&self, left_s: u64) {
        self.tell(Occasion::DeadlineNear, &format!("{left_s} s left"));
    }

    /// Its evidence cannot be stored, and this is how long it may go on.
    pub fn outage(&self, detail: &str) {
        self.tell(Occasion::Outage, detail);
    }

    /// Somebody gave it more time; that becomes a fact once the store takes one.
    ///
    /// # Errors
    /// When it cannot be kept until then.
    pub fn extended(&self, granted: &Granted, left_s: u64, at: Stamp) -> io::Result<()> {
        let Some(claim) = &self.claim else { return Ok(()) };
        self.tell(
            Occasion::Extended,
            &format!("by {}: {left_s} s left without its store", granted.by),
        );
        Extended::of(self.world.evidence().state(), claim.session).keep(granted, left_s, at)
    }

    /// Its evidence is stored again.
    pub fn back(&self, away_s: u64) {
        let Some(claim) = &self.claim else { return };
        self.tell(Occasion::OutageOver, &format!("after {away_s} s"));
        extended::later(self.world, claim.session);
    }

    /// It has ended, and this is known of its access. The report follows.
    pub fn closed(&self, how: &str, revocation: &Revocation, seen: &Seen) {
        let Some(claim) = &self.claim else { return };
        self.tell(Occasion::Closed, how);
        extended::now(self.world, claim.session);
        if !seen.exposures.is_empty() {
            let count = seen.exposures.len() as u64 + seen.exposures_more;
            let report = format!("bg-shell report {}", claim.session);
            self.tell(Occasion::Exposed, &format!("{count} in all; what to change: {report}"));
        }
        let message = Message::of(occasion(revocation), claim);
        self.notifier().tell(message.detail(&revocation.to_string()));
        report::after(self.world, claim, seen);
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

/// Tells that a role is being opened without its approvals: at the claim, whether it then works or not.
pub fn overridden(world: &World, claim: &Claim) {
    let detail = format!("claimed, until {}", claim.deadline);
    world.notifier().tell(Message::of(Occasion::Overridden, claim).detail(&detail));
}

/// Tells that a session was told to end, and nothing proves yet that its access is closed.
pub fn pending(
    world: &World,
    session: SessionId,
    opened: Option<&Fact>,
    (role, why): (&str, &str),
) {
    let says = |name: &str| opened?.says.get(name)?.as_str();
    let message = Message::new(Occasion::RevokePending).session(session).role(role).detail(why);
    let message = says("person").into_iter().fold(message, Message::person);
    // Under the request's name, as whoever tells later that it is over.
    world.notifier().tell(says("request").into_iter().fold(message, Message::request));
}

/// Tells of an access that somebody else than its session has closed, and writes its report. That it is pending still
/// is told once.
pub fn late(world: &World, session: SessionId, revocation: &Revocation) {
    report::late(world, session, occasion(revocation), revocation);
}

fn occasion(revocation: &Revocation) -> Occasion {
    match revocation {
        Revocation::Pending { .. } => Occasion::RevokePending,
        Revocation::None { .. } | Revocation::Revoked { .. } | Revocation::Expired { .. } => {
            Occasion::Revoked
        }
    }
}
