//! The close-out of an access: denied, proved, its gate closed. Run again, it goes on where it stopped.

pub mod abandoned;

mod deny;
mod expiry;

use bg_aws::edge::Edge;
use bg_aws::fault::CallError;
use bg_recorder::cause::chain;
use bg_recorder::facts::case::{Case, GATE, OPEN, PENDING, PROVED};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::keys::KeyService;
use bg_recorder::stamp::Stamp;
use serde_json::{Value, json};

use self::deny::Denied;
use crate::account::gate;
use crate::account::probe::{self, NotProved, Proof};
use crate::config::RoleConfig;
use crate::facts::claim::Claim;
use crate::facts::intent::Intent;
use crate::news::News;
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
        Some(Ok(Some(fact))) => {
            let read = Intent::read(&fact).and_then(|read| read.renewed(&case, keys).ok());
            read.unwrap_or(opened)
        }
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

    /// Writes a fact. When evidence cannot be stored, the access is closed all the same, and the seal, which is
    /// spooled, says how.
    fn note(&self, fact: &str, says: Value) {
        if let Err(e) = self.case.note(self.keys, &author(), fact, says) {
            self.world.hear(&News::NotNoted { fact, why: &chain(&e) });
        }
    }
}

const NOT_PROBED: &str = "denied, not probed: nobody has the credentials any more";
const FOUND_LATE: &str = "not probed: nobody has the credentials any more, and they are expired";
const EXPIRED_FIRST: &str = "the credentials had expired before the Deny was seen to work";
