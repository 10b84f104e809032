//! How an access ends.

use bg_recorder::facts::case::members;
use bg_recorder::facts::revocation::Revocation;
use bg_relay::outside::Switch as _;
use serde_json::{Map, Value, json};

use super::Access;
use crate::closeout::{self, Exhibit};
use crate::custody::Custody;

/// An access that is over, as the seal has it.
pub struct Closed {
    /// What was proved.
    pub revocation: Revocation,
    /// How many credentials were issued.
    issued: u32,
    /// How often they were handed out.
    served: u64,
}

impl Access<'_> {
    /// Ends it: nothing is handed out any more, it is denied, and that is proved; or it is said that it is not.
    pub fn close(mut self) -> Closed {
        self.switch.finish();
        self.switch.off("the session is over");
        let put = self.early.put();
        let held = self.custody.take().map(Custody::stop);
        let newest = match &held {
            Some(held) => Some((held.credentials.clone(), held.expires)),
            None => self.issued.take(),
        };
        let exhibit = newest.map(|(credentials, expires)| Exhibit {
            edge: self.edge.with_credentials(credentials),
            expires,
        });
        let issued = held.as_ref().map_or(u32::from(exhibit.is_some()), |held| held.issued);
        let world = self.world;
        let claim = &self.claim;
        let keys = &*self.keys;
        let revocation = match self.unissued {
            Some(why) => closeout::unissued(world, claim, why, keys),
            None => closeout::close(world, claim, exhibit.as_ref(), keys, put),
        };
        let served = self.vault.served();
        Closed { revocation, issued, served }
    }
}

impl Closed {
    /// Returns what the seal says of it.
    pub fn about(&self) -> Map<String, Value> {
        members(
            json!({"revocation": self.revocation, "issued": self.issued, "served": self.served}),
        )
    }
}
