//! The close-out of an access: denied, proved, its gate closed. Run again, it goes on where it stopped.

pub mod abandoned;

use bg_aws::edge::Edge;
use bg_aws::fault::CallError;
use bg_recorder::cause::chain;
use bg_recorder::facts::case::{Case, DENIED, GATE, OPEN, PENDING, PROVED};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::keys::KeyService;
use bg_recorder::stamp::Stamp;
use serde_json::{Value, json};

use crate::account::deny_policy::{self, DenyPolicy};
use crate::account::gate;
use crate::account::iam::Iam;
use crate::account::probe::{self, NotProved, Proof};
use crate::config::RoleConfig;
use crate::facts::claim::Claim;
use crate::facts::intent::{Intent, MARGIN, is_dead};
use crate::failure::Failure;
use crate::news::News;
use crate::notify::{Message, Occasion};
use crate::os::user::author;
use crate::world::World;

/// What a proof needs of the session's own credentials.
#[derive(Debug, Clone)]
pub struct Exhibit {
    /// AWS, with the newest of them.
    pub edge: Edge,
    /// When the newest of them expire.
    pub expires: Stamp,
}

/// Closes the access of a session, which is served no credentials any more. `put` is what came of a Deny that was sent
/// at once. What could not be done is said in what it returns, and `bg-shell reconcile` finishes it.
pub fn close(
    world: &World,
    claim: &Claim,
    exhibit: Option<&Exhibit>,
    keys: &dyn KeyService,
    put: Option<Result<Option<String>, CallError>>,
) -> Revocation {
    let case = Case::new(claim.session, world.store());
    let began = world.clock.now();
    let opened = Intent::of(claim);
    // Where there are credentials, nothing is read before they are denied: the store may be down, and takes its time.
    let opened = match exhibit.is_none().then(|| case.trusted(keys, OPEN)) {
        Some(Ok(None)) => return Revocation::None { why: "no credentials were asked for".into() },
        Some(Ok(Some(fact))) => Intent::read(&fact).unwrap_or(opened),
        Some(Err(_)) | None => opened,
    };
    let dead_by = exhibit.map_or_else(|| opened.dead_by(began), |exhibit| exhibit.expires);
    let role = claim.role.clone();
    let name = claim.name.clone();
    Closing { world, case, role, name, keys, began, dead_by }.go_on(exhibit, put)
}

/// Closes the access of a session to which no credentials can have been issued: only its gate is to be shut.
pub fn unissued(world: &World, claim: &Claim, why: &str, keys: &dyn KeyService) -> Revocation {
    let case = Case::new(claim.session, world.store());
    let revocation = Revocation::None { why: why.to_owned() };
    if matches!(case.get(OPEN), Ok(None)) {
        return revocation;
    }
    let role = claim.role.clone();
    let name = claim.name.clone();
    let closing = Closing {
        world,
        case,
        role,
        name,
        keys,
        began: world.clock.now(),
        dead_by: world.clock.now(),
    };
    closing.note(PROVED, serde_json::to_value(&revocation).unwrap_or_default());
    closing.shut_the_gate();
    revocation
}

/// One close-out.
pub struct Closing<'a> {
    /// Where.
    pub world: &'a World,
    /// Which session.
    pub case: Case,
    /// Its role.
    pub role: RoleConfig,
    /// The role's name in the configuration.
    pub name: String,
    /// What facts are signed with.
    pub keys: &'a dyn KeyService,
    /// When the close-out began.
    pub began: Stamp,
    /// When the credentials are dead in any case.
    pub dead_by: Stamp,
}

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

/// How a close-out ended, and in whose words.
struct CloseOut {
    revocation: Revocation,
    said: Option<String>,
}

impl CloseOut {
    fn of(revocation: Revocation) -> Self {
        Self { revocation, said: None }
    }
}

impl Closing<'_> {
    /// Does all of it, as far as it can be done now.
    pub fn run(&self, exhibit: Option<&Exhibit>) -> Revocation {
        self.go_on(exhibit, None)
    }

    /// Does the rest of it, where a Deny may have been sent already.
    fn go_on(
        &self,
        exhibit: Option<&Exhibit>,
        put: Option<Result<Option<String>, CallError>>,
    ) -> Revocation {
        let session = self.case.session;
        self.world.hear(&News::Revoking { session, role: &self.name });
        // What is dead already needs no Deny: it would only stand there.
        let over = exhibit.is_none() && self.is_over();
        if exhibit.is_none() && put.is_none() && !over {
            // What cannot be read back is put in place below all the same.
            self.restore().unwrap_or(false);
        }
        let denied = if over {
            Err(FOUND_LATE.to_owned())
        } else {
            self.denied(put).map_err(|e| e.to_string())
        };
        let proved = match (&denied, exhibit) {
            (Ok(denied), Some(exhibit)) => self.prove(denied, exhibit).map_err(|e| e.to_string()),
            (Ok(_), None) => Err(NOT_PROBED.to_owned()),
            (Err(why), _) => Err(why.clone()),
        };
        let in_place = denied.is_ok();
        let policy = denied.ok().map(|denied| denied.policy);
        let ending = proved.unwrap_or_else(|why| CloseOut::of(self.unproved(why, policy)));
        self.write_down(&ending);
        self.shut_the_gate();
        if in_place || over {
            self.sweep();
        }
        ending.revocation
    }

    /// Returns how the access was closed, where that is proved already.
    pub fn proved(&self) -> Option<Revocation> {
        let fact = self.case.trusted(self.keys, PROVED).ok()??;
        serde_json::from_value(Value::Object(fact.says)).ok()
    }

    /// Puts the Deny in place.
    ///
    /// # Errors
    /// Why it is not.
    pub fn deny(&self) -> Result<Denied, NotDenied> {
        self.denied(None)
    }

    fn denied(&self, put: Option<Result<Option<String>, CallError>>) -> Result<Denied, NotDenied> {
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

    /// Returns whether no credentials of the session can be alive.
    pub fn is_dead(&self) -> bool {
        is_dead(&self.case, self.keys, self.world.clock.now())
    }

    fn revoker(&self) -> Result<Iam, Failure> {
        Ok(Iam::new(&self.world.edge(self.role.profiles.revoker.as_deref())?))
    }

    fn prove(&self, denied: &Denied, exhibit: &Exhibit) -> Result<CloseOut, NotProved> {
        let patience = self.role.proof_patience;
        let proof = probe::denied(
            &exhibit.edge,
            self.role.probe,
            exhibit.expires,
            patience,
            &*self.world.clock,
        )?;
        let proved = self.world.clock.now();
        let policy = denied.policy.clone();
        Ok(match proof {
            Proof::Expired => CloseOut::of(self.expired(EXPIRED_FIRST, Some(policy))),
            Proof::Denied { request_ids, said } => CloseOut {
                revocation: Revocation::Revoked {
                    probe: self.role.probe.action().to_owned(),
                    policy,
                    request_ids: denied.request_id.iter().cloned().chain(request_ids).collect(),
                    began: self.began,
                    proved,
                    elapsed_ms: proved.0.saturating_sub(self.began.0) / 1_000,
                },
                said: Some(said),
            },
        })
    }

    /// Writes down that it could not be finished now.
    pub fn pend(&self, why: &str) -> Revocation {
        let ending = CloseOut::of(self.unproved(why.to_owned(), None));
        self.write_down(&ending);
        ending.revocation
    }

    /// What is not proved is pending, until the credentials are dead by themselves.
    fn unproved(&self, why: String, policy: Option<String>) -> Revocation {
        if self.is_over() {
            self.expired(&why, policy)
        } else {
            Revocation::Pending { why, dead_by: self.bound() }
        }
    }

    fn expired(&self, why: &str, policy: Option<String>) -> Revocation {
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
    fn is_over(&self) -> bool {
        self.world.clock.now() > self.bound().after(MARGIN)
    }

    /// Returns when the credentials are dead. Each earlier bound was right when it was written, and is still.
    fn bound(&self) -> Stamp {
        self.earlier().into_iter().map(|(_, dead_by)| dead_by).fold(self.dead_by, Stamp::min)
    }

    /// Returns what earlier close-outs could not finish, and until when.
    fn earlier(&self) -> Vec<(String, Stamp)> {
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

    /// The words of the last refusal go with the proof: they name the kind of policy that denied.
    fn write_down(&self, ending: &CloseOut) {
        let mut says = serde_json::to_value(&ending.revocation).unwrap_or_default();
        if let (Some(said), Value::Object(says)) = (&ending.said, &mut says) {
            says.insert("said".into(), Value::from(said.clone()));
        }
        match &ending.revocation {
            Revocation::None { .. } => {}
            Revocation::Revoked { .. } | Revocation::Expired { .. } => self.note(PROVED, says),
            Revocation::Pending { why, dead_by } => {
                let earlier = self.earlier();
                if !earlier.contains(&(why.clone(), *dead_by)) {
                    self.note(&format!("{PENDING}-{}", earlier.len() + 1), says);
                }
            }
        }
    }

    /// Lets go of the gate.
    pub fn shut_the_gate(&self) {
        match gate::close(self.world, &self.name, &self.role, self.case.session, self.keys) {
            Ok(standing) => {
                let kind = serde_json::to_value(&self.role.gate).unwrap_or_default();
                self.note(GATE, json!({"kind": kind.get("kind"), "state": standing.to_string()}));
            }
            Err(failure) => self.world.hear(&News::GateStays(&failure)),
        }
    }

    /// Removes the Denies of this role that nobody needs any more. That it fails changes nothing about this one.
    fn sweep(&self) {
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

    /// Writes a fact. When evidence cannot be stored, the access is closed all the same, and the seal, which is
    /// spooled, says how.
    fn note(&self, fact: &str, says: Value) {
        if let Err(e) = self.case.note(self.keys, &author(), fact, says) {
            self.world.hear(&News::NotNoted { fact, why: &chain(&e) });
        }
    }
}

/// A Deny was put back; then when, in microseconds.
const RESTORED: &str = "close/restored/";
const NOT_PROBED: &str = "denied, not probed: nobody has the credentials any more";
const FOUND_LATE: &str = "not probed: nobody has the credentials any more, and they are expired";
const EXPIRED_FIRST: &str = "the credentials had expired before the Deny was seen to work";
