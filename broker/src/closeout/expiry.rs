//! When the credentials of an access are dead by themselves, and what a close-out that proved nothing is worth then.

use bg_recorder::facts::case::{DENIED, PENDING};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::stamp::Stamp;
use serde_json::Value;

use super::Closing;
use crate::facts::intent::{MARGIN, is_dead};

impl Closing<'_> {
    /// Returns whether no credentials of the session can be alive.
    pub fn is_dead(&self) -> bool {
        is_dead(&self.case, self.keys, self.world.clock.now())
    }

    /// What is not proved is pending, until the credentials are dead by themselves.
    pub(super) fn unproved(&self, why: String, policy: Option<String>) -> Revocation {
        if self.is_over() {
            self.expired(&why, policy)
        } else {
            Revocation::Pending { why, dead_by: self.bound() }
        }
    }

    pub(super) fn expired(&self, why: &str, policy: Option<String>) -> Revocation {
        let earlier = || {
            self.case
                .trusted(self.keys, DENIED)
                .ok()??
                .says
                .get("policy")?
                .as_str()
                .map(ToOwned::to_owned)
        };
        let policy = policy.or_else(earlier);
        Revocation::Expired {
            why: why.to_owned(),
            policy,
            dead_by: self.bound(),
            noted: self.world.clock.now(),
        }
    }

    /// Returns whether the credentials are dead by themselves.
    pub(super) fn is_over(&self) -> bool {
        self.world.clock.now() > self.bound().after(MARGIN)
    }

    /// Returns when the credentials are dead. Each earlier bound was right when it was written, and is still.
    fn bound(&self) -> Stamp {
        self.earlier().into_iter().map(|(_, dead_by)| dead_by).fold(self.dead_by, Stamp::min)
    }

    /// Returns what earlier close-outs could not finish, and until when.
    pub(super) fn earlier(&self) -> Vec<(String, Stamp)> {
        let names = self.case.facts().unwrap_or_default();
        let pending = names.iter().filter(|name| name.starts_with(PENDING));
        let facts = pending.filter_map(|name| self.case.trusted(self.keys, name).ok()?);
        let read =
            facts.filter_map(|fact| match serde_json::from_value(Value::Object(fact.says)) {
                Ok(Revocation::Pending { why, dead_by }) => Some((why, dead_by)),
                _ => None,
            });
        read.collect()
    }
}
