//! The Deny of a close-out: put in place, read back, put back where somebody took it away.

use bg_aws::fault::CallError;
use bg_recorder::facts::case::{Case, DENIED};
use serde_json::json;

use super::Closing;
use crate::account::deny_policy::{self, DenyPolicy};
use crate::account::iam::Iam;
use crate::facts::intent::is_dead;
use crate::failure::Failure;
use crate::news::News;
use crate::notify::{Message, Occasion};

/// A Deny that is in place.
#[derive(Debug)]
pub struct Denied {
    /// The inline policy.
    pub policy: String,
    /// The id of the request that put it there, where one was sent.
    pub request_id: Option<String>,
}

/// Why a Deny is not in place.
#[derive(Debug, thiserror::Error)]
pub enum NotDenied {
    /// The revoker cannot call AWS from here.
    #[error("{0}")]
    Unreachable(Failure),
    /// IAM refused.
    #[error("{0}")]
    Refused(String),
}

impl Closing<'_> {
    /// Puts the Deny in place.
    ///
    /// # Errors
    /// Why it is not.
    pub fn deny(&self) -> Result<Denied, NotDenied> {
        self.denied(None)
    }

    pub(super) fn denied(
        &self,
        put: Option<Result<Option<String>, CallError>>,
    ) -> Result<Denied, NotDenied> {
        let iam = self.revoker().map_err(NotDenied::Unreachable)?;
        let role = self.role.role_name();
        let deny = DenyPolicy { role, session: self.case.session };
        let mut put = put.unwrap_or_else(|| deny.put(&iam));
        if put.as_ref().is_err_and(deny_policy::is_full) {
            self.sweep();
            put = deny.put(&iam);
        }
        let request_id = put.map_err(|e| {
            let refused = NotDenied::Refused(e.to_string());
            let failure = Failure::new("cannot deny the access").because(e);
            self.world.hear(&News::NotDenied(&failure));
            refused
        })?;
        let denied = Denied { policy: deny.name(), request_id };
        self.note(
            DENIED,
            json!({"policy": denied.policy, "role": role, "request_id": denied.request_id}),
        );
        Ok(denied)
    }

    /// Returns whether IAM shows the Deny.
    ///
    /// # Errors
    /// When it does not say.
    pub fn stands(&self) -> Result<bool, Failure> {
        let deny = DenyPolicy { role: self.role.role_name(), session: self.case.session };
        let unread = |e: CallError| Failure::new("cannot read the Deny back").because(e);
        deny.stands(&self.revoker()?).map_err(unread)
    }

    /// Puts the Deny back that somebody took away before the credentials were dead, and tells; returns whether it was
    /// gone.
    ///
    /// # Errors
    /// When that cannot be known or done.
    pub fn restore(&self) -> Result<bool, Failure> {
        let denied = self.case.trusted(self.keys, DENIED).map_err(|e| {
            Failure::new(format!("cannot read the facts around session {}", self.case.session))
                .because(e)
        })?;
        if denied.is_none() || self.stands()? {
            return Ok(false);
        }
        let found = self.world.clock.now();
        let put = self.deny();
        let session = self.case.session;
        let name = &self.name;
        self.world.hear(&News::DenyGone { session });
        let detail = match &put {
            Ok(denied) => format!("{} is back on {}", denied.policy, self.role.role_name()),
            Err(why) => format!("it could not be put back: {why}"),
        };
        self.world.hear(&News::DenyRestored { detail: &detail });
        let message = Message::new(Occasion::DenyRestored).session(session).role(name);
        self.world.notifier().tell(message.detail(&detail));
        self.note(&format!("{RESTORED}{}", found.0), json!({"found": found, "detail": detail}));
        put.map(|_| true).map_err(|why| {
            Failure::new(format!("cannot put the Deny of session {session} back: {why}"))
        })
    }

    /// Removes the Denies of this role that nobody needs any more. That it fails changes nothing about this one.
    pub(super) fn sweep(&self) {
        let dead = |session| {
            let case = Case::new(session, self.world.store());
            session != self.case.session && is_dead(&case, self.keys, self.world.clock.now())
        };
        let swept = self.revoker().map(|iam| deny_policy::sweep(&iam, self.role.role_name(), dead));
        match swept {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => self.world.hear(&News::DeniesStay { why: &e.to_string() }),
            Err(failure) => self.world.hear(&News::DeniesStay { why: &failure.to_string() }),
        }
    }

    fn revoker(&self) -> Result<Iam, Failure> {
        Ok(Iam::new(&self.world.edge(self.role.profiles.revoker.as_deref())?))
    }
}

/// A Deny was put back; then when, in microseconds.
const RESTORED: &str = "close/restored/";
