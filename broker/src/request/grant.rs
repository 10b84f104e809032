//! A grant: an approved request, checked again, that one session may claim.

mod waiting;

use std::time::Duration;

use bg_recorder::approval::CLAIM_NAMESPACE;
use bg_recorder::approval::access::{Access, Signed};
use bg_recorder::approval::quorum::{Approved, check};
use bg_recorder::approval::sshsig::SshSig;
use bg_recorder::approval::taking::Taking;
use bg_recorder::base64;
use bg_recorder::facts::case::Fact;
use bg_recorder::keys::KeyService;
use bg_recorder::note;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::StoreError;
use serde_json::json;

use self::waiting::{at_hand, still, wait};
use crate::config::RoleConfig;
use crate::facts::claim::Claim;
use crate::failure::Failure;
use crate::os::user::author;
use crate::request::dossier::Dossier;
use crate::request::filing::{Ask, file, filed, nonce};
use crate::request::lookup::{REQUESTS, find};
use crate::request::signer::{Signer, SignerArgs, signers};
use crate::world::World;

/// What somebody who opens a role says.
#[derive(Debug, Clone, Default)]
pub struct GrantArgs {
    /// The request to use. None: one is filed.
    pub request: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// For which incident.
    pub incident: Option<String>,
    /// For how long; None: as long as the role allows.
    pub duration: Option<Duration>,
    /// Without approvals.
    pub forced: bool,
    /// Who signs the request, and with what.
    pub signer: SignerArgs,
}

/// A request with enough approvals. It exists only if they hold, and is worth nothing before it is claimed.
pub struct Grant<'a> {
    world: &'a World,
    role: &'a RoleConfig,
    dossier: Dossier,
    session: SessionId,
    /// That its requester opens it, in that session.
    taking: Signed,
}

impl<'a> Grant<'a> {
    /// Takes an approved request, or files one and waits for its approvals.
    ///
    /// # Errors
    /// When it was denied, withdrawn, used or has expired; when whoever waits gives up.
    pub fn obtain(world: &'a World, role_name: &str, args: &GrantArgs) -> Result<Self, Failure> {
        let role = world.role(role_name)?;
        let id = match &args.request {
            Some(text) => find(&*world.store(), text, world.clock.now())?,
            None => {
                let ask = ask(role_name, args)?;
                at_hand(world, role, &ask, &args.signer)?;
                let request = file(world, &ask, &args.signer)?;
                filed(world, &request);
                request.id
            }
        };
        // Who cannot sign shall not wait for it.
        let signer = opener(world, role, id, &args.signer)?;
        let dossier = wait(world, id)?;
        let request = dossier.request();
        if request.role != role_name {
            return Err(Failure::new(format!("request {id} is for the role {}", request.role))
                .hint(format!("open it with --role {}", request.role)));
        }
        if args.forced && !request.forced {
            return Err(Failure::new(format!(
                "request {id} does not ask to be opened without approvals"
            ))
            .hint("make another with bg-shell request --override"));
        }
        let session = SessionId::mint();
        let taking = take(world, &dossier, session, &signer, world.clock.now())?;
        holds(&dossier, session, &taking, world.clock.now())?;
        Ok(Self { world, role, dossier, session, taking })
    }

    /// Returns the one session that it is for.
    pub fn session(&self) -> SessionId {
        self.session
    }

    pub fn role(&self) -> &'a RoleConfig {
        self.role
    }

    /// Returns the role's session policy, as it was approved.
    pub fn scope(&self) -> Option<&[u8]> {
        self.dossier.scope.as_deref()
    }

    /// Returns who asked.
    pub fn person(&self) -> &str {
        self.dossier.request().requester.as_str()
    }

    /// Claims the request for its session; whoever comes second gets nothing. Everything is verified again.
    ///
    /// # Errors
    /// When somebody else has claimed it, or it does not hold any more.
    pub fn claim(self, keys: &dyn KeyService) -> Result<Claim, Failure> {
        let id = self.dossier.request().id;
        let bytes = self.claim_bytes(keys)?;
        let key = format!("{REQUESTS}{id}/claim");
        let store = self.world.store();
        match store.put_new(&key, &bytes) {
            Ok(()) => {}
            // A put that was repeated after an answer was lost meets itself: the bytes are nobody else's.
            Err(StoreError::Exists(_))
                if store.get(&key, note::NOTE_MAX as u64).is_ok_and(|found| found == bytes) => {}
            Err(StoreError::Exists(_)) => {
                return Err(Failure::new(format!("request {id} was claimed by another session"))
                    .hint("a request opens one session; make a new one"));
            }
            Err(e) => return Err(Failure::new("cannot claim the request").because(e)),
        }
        self.settle()
    }

    /// What came in until the claim counts: a denial or a withdrawal that was there first wins.
    fn settle(self) -> Result<Claim, Failure> {
        let session = self.session;
        let now = self.world.clock.now();
        let id = self.dossier.request().id;
        let mut dossier = Dossier::open(self.world, id, now)?;
        if dossier.claim.take().is_none_or(|claim| claim.session != session) {
            return Err(Failure::new(format!("request {id} was claimed by another session")));
        }
        still(&dossier, dossier.standing(now))?;
        let (access, approved) = holds(&dossier, session, &self.taking, self.world.clock.now())?;
        let request = approved.request;
        let role = self.role.clone();
        let duration_us = request.duration_s.saturating_mul(1_000_000);
        Ok(Claim {
            session,
            name: request.role,
            role,
            scope: dossier.scope,
            person: request.requester.to_string(),
            reason: request.reason,
            incident: request.incident,
            request: id.to_string(),
            request_sha256: approved.digest.to_string(),
            deadline: Stamp(now.0.saturating_add(duration_us)),
            latest: now.after(self.role.max_duration),
            forced: request.forced,
            requested: request.created,
            access: serde_json::to_value(access)
                .map_err(|e| Failure::new("cannot write the access").because(e))?,
        })
    }

    fn claim_bytes(&self, keys: &dyn KeyService) -> Result<Vec<u8>, Failure> {
        let request = self.dossier.request().id;
        let says = json!({
            "request": request, "request_sha256": self.dossier.petition.digest, "nonce": nonce()?,
            "statement": self.taking.statement, "signature": self.taking.signature,
        });
        let signed = Fact::now(self.session, &author(), "claim", says).signed(keys);
        signed.map_err(|e| Failure::new("cannot sign the claim").because(e))
    }
}

fn ask<'a>(role: &'a str, args: &'a GrantArgs) -> Result<Ask<'a>, Failure> {
    let reason = args.reason.as_deref().ok_or_else(|| {
        Failure::new(format!("opening {role} needs a reason"))
            .hint("give one with --reason, or an approved request with --request")
    })?;
    Ok(Ask {
        role,
        reason,
        incident: args.incident.as_deref(),
        duration: args.duration,
        forced: args.forced,
    })
}

/// Finds a key of whoever asked: nobody else may open what was approved for them.
fn opener(
    world: &World,
    role: &RoleConfig,
    id: SessionId,
    args: &SignerArgs,
) -> Result<Signer, Failure> {
    let dossier = Dossier::open(world, id, world.clock.now())?;
    let requester = &dossier.request().requester;
    if args.person.as_ref().is_some_and(|person| person != requester.as_str()) {
        return Err(Failure::new(format!("only {requester} can open request {id}"))
            .hint("it was approved for them; make a request of your own"));
    }
    let (_, signers) = signers(role)?;
    let args = SignerArgs { person: Some(requester.to_string()), key: args.key.clone() };
    Signer::find(&args, &signers, CLAIM_NAMESPACE, world)
}

/// Has the requester sign that this session takes the request.
fn take(
    world: &World,
    dossier: &Dossier,
    session: SessionId,
    signer: &Signer,
    made: Stamp,
) -> Result<Signed, Failure> {
    let statement = Taking {
        v: 1,
        request: dossier.request().id,
        request_sha256: dossier.petition.digest,
        session,
        requester: signer.person.clone(),
        made,
        nonce: nonce()?,
    };
    let bytes = statement.write().map_err(Failure::new)?;
    let signature = signer.sign(world, CLAIM_NAMESPACE, &bytes)?;
    let key = SshSig::parse(&signature)
        .map_err(|e| Failure::new("cannot read our own signature").because(e))?
        .key;
    let mut approvals = dossier.approvals.iter();
    if let Some(why) = approvals.find_map(|(one, _)| dossier.petition.claims(&key, one)) {
        return Err(Failure::new(format!("cannot open the request with this key: {why}"))
            .hint("sign with a key that allowed_signers lists for you alone"));
    }
    Ok(Signed { statement: base64::encode(&bytes), signature })
}

/// Judges what the genesis will carry, as its verifiers will.
fn holds(
    dossier: &Dossier,
    session: SessionId,
    taking: &Signed,
    now: Stamp,
) -> Result<(Access, Approved), Failure> {
    let access = dossier.access(taking.clone());
    let approved = check(&access, session, now).map_err(|objections| {
        let objections: Vec<String> = objections.iter().map(ToString::to_string).collect();
        Failure::new(format!("the approvals do not hold: {}", objections.join("; ")))
    })?;
    Ok((access, approved))
}

#[cfg(test)]
mod tests;
