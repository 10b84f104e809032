//! How an access ends, and who is told.

use serde_json::{Map, Value, json};

use super::{Access, object};
use crate::claim::Claim;
use crate::closeout::{self, Exhibit};
use crate::custody::Custody;
use crate::notify::{Message, Notifier, Occasion};
use crate::report;
use crate::revocation::Revocation;
use crate::tap::Seen;
use crate::world::World;

/// An access that is over, for the seal, the report and those who are told.
pub struct Closed {
    claim: Claim,
    notifier: Notifier,
    revocation: Revocation,
    /// How many credentials were issued.
    issued: u32,
    /// How often they were handed out.
    served: u64,
}

impl Access<'_> {
    /// Tells those who are configured what happens. Returns at once.
    pub fn tell(&self, occasion: Occasion, detail: &str) {
        self.notifier.tell(Message::of(occasion, &self.claim).detail(detail));
    }

    /// Ends it: nothing is handed out any more, it is denied, and that is proved; or it is said that it is not.
    pub fn close(mut self) -> Closed {
        self.switch.finish();
        self.vault.close("the session is over");
        let held = self.custody.take().map(Custody::stop);
        let newest = match &held {
            Some(held) => Some((held.credentials.clone(), held.expires)),
            None => self.issued.take(),
        };
        let exhibit = newest
            .map(|(credentials, expires)| Exhibit { edge: self.edge.with_credentials(credentials), expires });
        let issued = held.as_ref().map_or(u32::from(exhibit.is_some()), |held| held.issued);
        let (world, claim, keys) = (self.world, &self.claim, &*self.keys);
        let revocation = match self.unissued {
            Some(why) => closeout::unissued(world, claim, why, keys),
            None => closeout::close(world, claim, exhibit.as_ref(), keys),
        };
        let served = self.vault.served();
        Closed { claim: self.claim, notifier: self.notifier, revocation, issued, served }
    }
}

impl Closed {
    /// Returns whether it is over.
    pub fn revocation(&self) -> &Revocation {
        &self.revocation
    }

    /// Returns what the seal says of it.
    pub fn about(&self) -> Map<String, Value> {
        object(json!({"revocation": self.revocation, "issued": self.issued, "served": self.served}))
    }

    /// Does what is left when the tape is sealed: the report, and telling who is configured. `ended` is how.
    pub fn after(self, world: &World, ended: &str, seen: &Seen) {
        let tell = |occasion, detail: &str| {
            self.notifier.tell(Message::of(occasion, &self.claim).detail(detail));
        };
        tell(Occasion::Closed, &format!("the session {ended}"));
        match &self.revocation {
            Revocation::Pending { why, dead_by } => {
                tell(Occasion::RevokePending, &format!("{why}; the access may live until {dead_by}"));
            }
            Revocation::Revoked { probe, elapsed_ms, .. } => {
                tell(Occasion::Revoked, &format!("{probe} is denied, {elapsed_ms} ms after the end"));
            }
            Revocation::None { why } | Revocation::Expired { why, .. } => tell(Occasion::Revoked, why),
        }
        report::after(world, &self.notifier, &self.claim, seen);
        self.notifier.finish();
    }
}
