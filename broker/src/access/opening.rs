//! How an access is opened: each step is written down before it has effects.

use std::sync::Arc;
use std::time::Duration;

use bg_aws::fault::{CallError, CallKind};
use bg_recorder::clock::Stopwatch;
use bg_recorder::event::{CredentialState, Notice};
use bg_recorder::facts::case::{ACTIVE, OPEN};
use serde_json::json;

use super::Access;
use super::early::Early;
use crate::account::gate;
use crate::account::probe;
use crate::config::Gate;
use crate::custody::credentials::{CredentialSource, Issued, NotIssued};
use crate::custody::killswitch;
use crate::custody::sts::Sts;
use crate::custody::{Around, Custody};
use crate::failure::Failure;
use crate::os::signals::Signals;
use crate::os::user;
use crate::os::user::author;

impl Access<'_> {
    /// Opens it: intent, gate, credentials, positive control, then the endpoint answers.
    ///
    /// # Errors
    /// When any step fails. [`Access::close`] is due all the same.
    pub fn activate(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        self.intend()?;
        gate::open(self.world, &self.claim, &*self.keys)?;
        let mut source: Box<dyn CredentialSource> = Box::new(Sts::new(self.edge.clone()));
        self.second.prove(self.world, &mut *source, self.token_s(), signals)?;
        // A request that was sent counts as answered until it is known to have been refused.
        self.unissued = None;
        let issued = self.assume(&*source).map_err(|e| {
            self.unissued = Some("AWS refused the role").filter(|_| e.certain);
            refused("AWS does not give the role", e.call)
        })?;
        self.issued = Some((issued.credentials().clone(), issued.expires));
        let edge = self.edge.with_credentials(issued.credentials().clone());
        let probe = {
            let role = &self.claim.role;
            probe::allowed(&edge, role.probe, role.gate_patience, &*self.world.clock)
                .map_err(|e| refused("the role does not work: its probe was refused", e))?
        };
        self.activated(&issued, probe.as_deref())?;
        self.switch.tell(notice(&issued), None);
        let around = Around {
            vault: self.vault.clone(),
            switch: self.switch.clone(),
            clock: self.world.clock.clone(),
        };
        let no_thread = |e| Failure::new("cannot keep the credentials").because(e);
        let custody =
            Custody::start(source, self.wanted.clone(), issued, self.claim.deadline, around);
        self.custody = Some(custody.map_err(no_thread)?);
        let role = &self.claim.role;
        let reach = self.world.reach(role.profiles.revoker.as_deref());
        let early = Early::wait(&self.switch, self.claim.session, role.role_name(), reach);
        self.early = early.map_err(no_thread)?;
        let clock = Arc::clone(&self.world.clock);
        let session = self.claim.session;
        killswitch::watch(self.world.store(), session, self.switch.clone(), clock)
            .map_err(no_thread)
    }

    /// From here on the access counts as issued.
    fn intend(&self) -> Result<(), Failure> {
        let claim = &self.claim;
        let says = json!({
            "role": claim.name, "role_arn": claim.role.arn, "person": claim.person,
            "session_name": self.wanted.session_name, "source_identity": self.wanted.source_identity,
            "duration_s": self.wanted.duration_s, "deadline": claim.deadline, "request": claim.request,
            "gate": claim.role.gate, "forced": claim.forced,
            "host": user::host(),
        });
        self.fact(OPEN, says)
    }

    fn activated(&self, issued: &Issued, probe: Option<&str>) -> Result<(), Failure> {
        let claim = &self.claim;
        let took = claim.requested.until(self.world.clock.now());
        let says = json!({
            "access_key_id": issued.access_key_id, "assumed_role_id": issued.assumed_role_id,
            "expires": issued.expires, "mfa": self.second.attested().word(), "probe": claim.role.probe,
            "request_ids": {"assume_role": issued.request_id, "probe": probe},
            "requested": claim.requested, "time_to_access_ms": took.as_millis() as u64,
        });
        self.fact(ACTIVE, says)
    }

    fn fact(&self, fact: &str, says: serde_json::Value) -> Result<(), Failure> {
        self.case.put(&*self.keys, &author(), fact, says).map(drop).map_err(|e| {
            Failure::new(format!("cannot write the fact {fact:?} down"))
                .because(e)
                .hint("nothing is done that is not written down first: see [evidence]")
        })
    }

    /// A gate that was just opened needs a moment until all of IAM knows it.
    fn assume(&self, source: &dyn CredentialSource) -> Result<Issued, NotIssued> {
        let since = Stopwatch::start(&*self.world.clock);
        let mut certain = true;
        let gated = matches!(self.claim.role.gate, Gate::Trust { .. });
        loop {
            let e = match source.assume(&self.wanted) {
                Ok(issued) => return Ok(issued),
                Err(e) => e,
            };
            certain &= e.certain;
            let waits = gated && e.call.kind == CallKind::Denied;
            if !waits || since.elapsed() >= self.claim.role.gate_patience {
                return Err(NotIssued { certain, ..e });
            }
            self.world.clock.wait(GATE_PAUSE);
        }
    }

    /// The credentials that ask for the role live as long as the deadline can be moved, and no longer than they may.
    fn token_s(&self) -> u32 {
        let left = self.world.clock.now().until(self.claim.latest);
        u32::try_from(left.as_secs()).unwrap_or(TOKEN_MAX_S).clamp(TOKEN_MIN_S, TOKEN_MAX_S)
    }
}

/// Says which call was refused, why, and what to do.
pub(super) fn refused(what: &str, e: CallError) -> Failure {
    let hint = match (e.kind, e.message.contains("sts:TagSession")) {
        (_, true) => Some(
            "let the role's trust policy allow sts:TagSession, or set session_tags = false".into(),
        ),
        _ => e.hint(),
    };
    let failure = Failure::new(what).because(e);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn notice(issued: &Issued) -> Notice {
    Notice::Credentials {
        state: CredentialState::Issued,
        access_key_id: Some(issued.access_key_id.clone()),
        expires: Some(issued.expires.to_string()),
        request_id: issued.request_id.clone(),
        why: None,
    }
}

const GATE_PAUSE: Duration = Duration::from_millis(500);
/// What sts:GetSessionToken takes of an IAM user.
const TOKEN_MIN_S: u32 = 900;
const TOKEN_MAX_S: u32 = 129_600;
