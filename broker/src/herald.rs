//! What others are told of one session: that it was opened, that its time is nearly over, how it ended.

use std::io;
use std::time::Duration;

use bg_recorder::facts::case::{Case, Fact};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_relay::outside::{self, Granted, Tidings};
use bg_relay::tap::Seen;
use serde_json::json;

use crate::facts::claim::Claim;
use crate::failure::Failure;
use crate::news::News;
use crate::notify::{Message, Notifier, Occasion};
use crate::os::user::author;
use crate::outage::granted::{self, Extended};
use crate::report;
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
        self.say(Occasion::Opened, &format!("until {}", claim.deadline));
    }

    /// It has ended, and this is known of its access. The report follows.
    pub fn closed(&self, how: &str, revocation: &Revocation, seen: &Seen) {
        let Some(claim) = &self.claim else { return };
        self.say(Occasion::Closed, how);
        self.heard(claim);
        granted::now(self.world, claim.session);
        if !seen.exposures.is_empty() {
            let count = seen.exposures.len() as u64 + seen.exposures_more;
            let report = format!("bg-shell report {}", claim.session);
            self.say(Occasion::Exposed, &format!("{count} in all; what to change: {report}"));
        }
        let message = Message::of(occasion(revocation), claim);
        self.notifier().tell(message.detail(&revocation.as_of(self.world.clock.now())));
        report::after(self.world, claim, seen);
    }

    /// Writes down that somebody took the alarm of an override: where that is not written, reconcile tells it again,
    /// whatever became of this host's outbox.
    fn heard(&self, claim: &Claim) {
        let id = claim.session.to_string();
        let taken = self.notifier().receipt(&id, Duration::ZERO).filter(|_| claim.forced);
        if let (Some(receiver), Ok(keys)) = (taken, self.world.keys()) {
            let case = Case::new(claim.session, self.world.store());
            // What cannot be written now is told once more.
            drop(case.note(&*keys, &author(), HEARD, json!({ "receiver": receiver })));
        }
    }

    fn say(&self, occasion: Occasion, detail: &str) {
        if let Some(claim) = &self.claim {
            self.notifier().tell(Message::of(occasion, claim).detail(detail));
        }
    }

    fn notifier(&self) -> &Notifier {
        self.world.notifier()
    }
}

impl outside::Herald for Herald<'_> {
    fn tell(&self, tidings: Tidings<'_>) {
        match tidings {
            Tidings::DeadlineNear(left_s) => {
                self.say(Occasion::DeadlineNear, &format!("{left_s} s left"));
            }
            Tidings::Renewed(detail) => self.say(Occasion::Extended, detail),
            Tidings::Outage(detail) => self.say(Occasion::Outage, detail),
            Tidings::Back(away_s) => {
                self.say(Occasion::OutageOver, &format!("after {away_s} s"));
                if let Some(claim) = &self.claim {
                    granted::later(self.world, claim.session);
                }
            }
        }
    }

    fn extended(&self, granted: &Granted, left_s: u64, at: Stamp) -> io::Result<()> {
        let Some(claim) = &self.claim else { return Ok(()) };
        let detail = format!("by {}: {left_s} s left without its store", granted.by);
        self.say(Occasion::Extended, &detail);
        // That becomes a fact once the store takes one.
        Extended::of(self.world.evidence().state(), claim.session).keep(granted, left_s, at)
    }
}

/// Tells that a role is being opened without its approvals: at the claim, whether it then works or not. Where the role
/// asks for it, somebody must have taken the alarm before anything is opened.
///
/// # Errors
/// When nobody has, in time.
pub fn overridden(world: &World, claim: &Claim) -> Result<(), Failure> {
    let detail = format!("claimed, until {}", claim.deadline);
    let message = Message::of(Occasion::Overridden, claim).known_as(claim.session);
    world.notifier().tell(message.detail(&detail));
    if !claim.role.override_needs_delivery {
        return Ok(());
    }
    world.hear(&News::AlarmOnItsWay);
    let id = claim.session.to_string();
    match world.notifier().receipt(&id, RECEIPT_PATIENCE) {
        Some(receiver) => {
            world.hear(&News::AlarmTaken { receiver });
            Ok(())
        }
        None => Err(Failure::new(format!(
            "nobody took the alarm of this override in {} s",
            RECEIPT_PATIENCE.as_secs()
        ))
        .hint("the role's override_needs_delivery asks for that; get its approvals, or reach a receiver of [notify]")),
    }
}

/// Tells again of an override of which no fact shows that anybody heard of it; returns whether somebody has now.
pub fn overridden_unheard(world: &World, opened: &Fact) -> bool {
    let says = |name: &str| opened.says.get(name).and_then(|value| value.as_str());
    let message = Message::new(Occasion::Overridden).session(opened.session);
    let message = message.known_as(opened.session);
    let message = says("role").into_iter().fold(message, Message::role);
    let message = says("person").into_iter().fold(message, Message::person);
    let message = says("request").into_iter().fold(message, Message::request);
    let detail = format!("opened at {}; told by bg-shell reconcile", opened.at);
    world.notifier().tell(message.detail(&detail));
    world.notifier().receipt(&opened.session.to_string(), RECEIPT_PATIENCE).is_some()
}

/// How long an alarm may be on its way.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(10);
/// The fact that somebody took the alarm of an override.
pub const HEARD: &str = "heard";

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
