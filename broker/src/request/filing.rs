//! A request is made: its bytes, the requester's signature, its place in the evidence.

use std::time::Duration;

use bg_recorder::approval::REQUEST_NAMESPACE;
use bg_recorder::approval::quorum::Petition;
use bg_recorder::approval::request::Request;
use bg_recorder::approval::statement::{Nonce, Principal};
use bg_recorder::base64;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;

use crate::config::{PRACTICE, RoleConfig};
use crate::failure::Failure;
use crate::news::News;
use crate::notify::{Message, Occasion};
use crate::request::dossier::Filed;
use crate::request::lookup::REQUESTS;
use crate::request::signer::{Signer, SignerArgs, approvers, signers};
use crate::request::terms;
use crate::request::terms::{approvals, minute};
use crate::world::World;

/// What somebody asks for.
#[derive(Debug)]
pub struct Ask<'a> {
    pub role: &'a str,
    /// Why.
    pub reason: &'a str,
    /// For which incident.
    pub incident: Option<&'a str>,
    /// For how long; None: as long as the role allows.
    pub duration: Option<Duration>,
    /// Without approvals.
    pub forced: bool,
}

/// Signs a request and stores it; nobody can change it any more.
///
/// # Errors
/// When the role does not allow it, or nobody here may ask.
pub fn file(world: &World, ask: &Ask<'_>, args: &SignerArgs) -> Result<Request, Failure> {
    let role = allowed(world, ask)?;
    let (_, signers) = signers(role)?;
    let signer = Signer::find(args, &signers, REQUEST_NAMESPACE, world)?;
    let request = request(ask, role, &signer.person, world)?;
    let bytes = request.write().map_err(Failure::new)?;
    let signature = signer.sign(world, REQUEST_NAMESPACE, &bytes)?;
    Petition::open(&bytes, &signature, signers)
        .map_err(|what| Failure::new(format!("what was signed does not hold: {what}")))?;
    store(
        world,
        &format!("{REQUESTS}{}/request", request.id),
        &Filed { request: base64::encode(&bytes), signature },
    )?;
    Ok(request)
}

/// Stores a fact of a request.
///
/// # Errors
/// When there is one already, or the store refuses.
pub fn store<T: serde::Serialize>(world: &World, key: &str, fact: &T) -> Result<(), Failure> {
    let bytes =
        serde_json::to_vec(fact).map_err(|e| Failure::new("cannot write a fact").because(e))?;
    world.store().put_new(key, &bytes).map_err(|e| {
        Failure::new("cannot store it")
            .because(e)
            .hint("bg-shell requests shows what is there; see [evidence]")
    })
}

fn allowed<'a>(world: &'a World, ask: &Ask<'_>) -> Result<&'a RoleConfig, Failure> {
    if ask.role == PRACTICE {
        return Err(
            Failure::new("the practice role needs no request").hint("bg-shell opens it at once")
        );
    }
    let role = world.role(ask.role)?;
    if ask.reason.trim().is_empty() {
        return Err(Failure::new("a request needs a reason").hint("give one with --reason"));
    }
    if ask.duration.is_some_and(|duration| duration > role.max_duration) {
        let longest = humantime::format_duration(role.max_duration);
        return Err(Failure::new(format!("{} can be opened for {longest} at most", ask.role))
            .hint("ask for less with --max-duration"));
    }
    if ask.forced && !role.r#override {
        return Err(Failure::new(format!("{} cannot be opened without its approvals", ask.role))
            .hint("leave --override away; the role's configuration says override = false"));
    }
    Ok(role)
}

fn request(
    ask: &Ask<'_>,
    role: &RoleConfig,
    person: &Principal,
    world: &World,
) -> Result<Request, Failure> {
    let created = world.clock.now();
    let scope = terms::scope(role)?;
    let waits = u64::try_from(role.approval_expires.as_micros()).unwrap_or(u64::MAX);
    Ok(Request {
        v: 1,
        id: SessionId::mint(),
        role: ask.role.to_owned(),
        role_arn: role.arn.clone(),
        requester: person.clone(),
        reason: ask.reason.to_owned(),
        incident: ask.incident.map(ToOwned::to_owned),
        duration_s: ask.duration.unwrap_or(role.max_duration).as_secs().max(1),
        created,
        expires: Stamp(created.0.saturating_add(waits)),
        execution_s: role.execution_expires.as_secs().max(1),
        quorum: role.quorum.into(),
        policy_sha256: terms::digest(role, scope.as_deref(), &world.store_identity()),
        nonce: nonce()?,
        forced: ask.forced,
    })
}

/// Makes bytes that nobody made before.
///
/// # Errors
/// When the system has no randomness.
pub fn nonce() -> Result<Nonce, Failure> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Failure::new("the system has no randomness"))?;
    Ok(Nonce::new(bytes))
}

/// Says what was filed, and what comes next; tells the approvers.
pub fn filed(world: &World, request: &Request) {
    world.hear(&News::Filed(request));
    let Request { id, quorum, expires, forced, .. } = request;
    if !*forced && *quorum > 0 {
        asked(world, request);
    }
    let how = match (forced, quorum) {
        (true, _) => "OVERRIDE: opens without approvals".to_owned(),
        (false, 0) => "needs no approvals".to_owned(),
        (false, quorum) => format!(
            "needs {} until {}: bg-shell approve {id}",
            approvals(*quorum),
            minute(*expires)
        ),
    };
    world.notifier().tell(Message::about(Occasion::Requested, request).detail(&how));
}

/// Says who may approve, and who hears of it: where nobody is told, the requester has to.
fn asked(world: &World, request: &Request) {
    let people = world.role(&request.role).and_then(signers);
    let people =
        people.map(|(_, signers)| approvers(&signers, world.clock.now())).unwrap_or_default();
    let others: Vec<&str> = people
        .iter()
        .map(Principal::as_str)
        .filter(|person| *person != request.requester.as_str())
        .collect();
    let named = others
        .get(..NAMED_MAX)
        .map_or_else(|| others.join(", "), |some| format!("{} and others", some.join(", ")));
    let told: Vec<&str> = world.notifier().receivers().collect();
    world.hear(&News::Asked { approvers: &named, told: &told });
}

/// How many approvers are named.
const NAMED_MAX: usize = 8;
