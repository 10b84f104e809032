//! All that is known of one request: the facts below `requests/<id>/`, each checked before it counts.

use std::sync::Arc;

use bg_cli::named::{Named, beginning_or_last};
use bg_recorder::abreast::Abreast;
use bg_recorder::approval::SKEW_US;
use bg_recorder::approval::access::{APPROVALS_MAX, Access, Signed};
use bg_recorder::approval::pattern::list_matches;
use bg_recorder::approval::quorum::{Decided, Petition};
use bg_recorder::approval::request::Request;
use bg_recorder::approval::signers::{AllowedSigners, Entry};
use bg_recorder::approval::statement::{Decision, Principal};
use bg_recorder::base64;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::Fact;
use bg_recorder::neutral::neutral;
use bg_recorder::note::{NOTE_MAX, Note, NoteKind};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{Listed, ObjectStore, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::RoleConfig;
use crate::failure::Failure;
use crate::request::standing::Standing;
use crate::request::terms;
use crate::world::World;

/// A request as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filed {
    /// Base64 of its exact bytes.
    pub request: String,
    /// The requester's signature over them, armored.
    pub signature: String,
}

/// A request whose signature holds, and what came of it.
pub struct Dossier {
    /// The request.
    pub petition: Petition,
    /// The approvals that count, the earliest first.
    pub approvals: Vec<(Decided, Signed)>,
    /// Who denied it.
    pub denials: Vec<Decided>,
    /// What those who denied it say, in their words; nobody has signed that.
    pub reasons: Vec<(String, String)>,
    /// Whether its requester withdrew it.
    pub cancelled: bool,
    /// The session that took it.
    pub claim: Option<Fact>,
    /// People who have decided already, whether it counts or not.
    pub decided: Vec<String>,
    /// What is stored and does not count, and why.
    pub ignored: Vec<String>,
    /// The session policy that its terms are the digest of: what is used later is this, not the file.
    pub scope: Option<Vec<u8>>,
    filed: Filed,
    bytes: Vec<u8>,
    signers: Vec<u8>,
}

impl Dossier {
    /// Reads a request with all its facts, as of a time.
    ///
    /// # Errors
    /// When there is none, its signature does not hold, or the role is not as it was.
    pub fn open(world: &World, id: SessionId, now: Stamp) -> Result<Self, Failure> {
        Self::read(world, &world.store(), id, now)
    }

    /// Reads it from a store that knows more than the world's.
    ///
    /// # Errors
    /// As [`Dossier::open`].
    pub fn read(
        world: &World,
        store: &Arc<dyn ObjectStore>,
        id: SessionId,
        now: Stamp,
    ) -> Result<Self, Failure> {
        let key = format!("{REQUESTS}{id}/request");
        let filed: Filed = read(&**store, &key)?;
        let bytes =
            base64::decode(&filed.request).ok_or_else(|| invalid(id, "it is not base64"))?;
        let request = Request::parse(&bytes).map_err(|what| invalid(id, what))?;
        let role = world.role(&request.role)?;
        let (text, signers) = signers(role)?;
        let petition = Petition::open(&bytes, &filed.signature, signers)
            .map_err(|what| invalid(id, &what.to_string()))?;
        if request.id != id {
            return Err(invalid(id, "it names another request"));
        }
        let scope = terms::scope(role)?;
        same_terms(&request, world, scope.as_deref(), now)?;
        let mut dossier = Self {
            petition,
            approvals: Vec::new(),
            denials: Vec::new(),
            reasons: Vec::new(),
            cancelled: false,
            claim: None,
            decided: Vec::new(),
            ignored: Vec::new(),
            scope,
            filed,
            bytes,
            signers: text,
        };
        let people = dossier.people()?;
        dossier.facts(store, &people, now)?;
        Ok(dossier)
    }

    pub fn request(&self) -> &Request {
        &self.petition.request
    }

    /// Returns how it stands.
    pub fn standing(&self, now: Stamp) -> Standing {
        let request = self.request();
        let enough = request.forced || self.approvals.len() as u64 >= request.quorum;
        match () {
            () if self.claim.is_some() => Standing::Claimed,
            () if self.cancelled => Standing::Cancelled,
            () if !self.denials.is_empty() => Standing::Denied,
            () if enough && now <= self.usable_until() => Standing::Approved,
            () if enough || now > request.expires => Standing::Expired,
            () => Standing::Requested,
        }
    }

    /// Returns until when it can be used, given the approvals there are.
    pub fn usable_until(&self) -> Stamp {
        self.petition.usable_until(self.approvals.iter().map(|(decided, _)| decided))
    }

    /// Returns what the genesis carries of it, with the claim of its session.
    pub fn access(&self, claim: Signed) -> Access {
        let approvals = self.approvals.iter().map(|(_, signed)| signed.clone()).collect();
        Access::new(
            self.request(),
            &self.bytes,
            &self.filed.signature,
            &self.signers,
            approvals,
            claim,
        )
    }

    fn people(&self) -> Result<AllowedSigners, Failure> {
        AllowedSigners::parse(&self.signers).map_err(|e| invalid(self.request().id, &e.to_string()))
    }

    /// Reads what can count, by its name: whoever can write evidence can put anything beside it.
    fn facts(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        people: &AllowedSigners,
        now: Stamp,
    ) -> Result<(), Failure> {
        let id = self.request().id;
        let prefix = format!("{REQUESTS}{id}/");
        let entries = store
            .list(&prefix)
            .map_err(|e| Failure::new("cannot list the request's facts").because(e))?;
        let names: Vec<&str> =
            entries.iter().filter_map(|entry| entry.key.strip_prefix(&prefix)).collect();
        let (known, strange): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| Name::of(name, people).is_some());
        if known.len() > FACTS_MAX {
            return Err(invalid(id, "more decisions on it are stored than anybody can read"));
        }
        let keys = known.iter().map(|name| format!("{prefix}{name}"));
        let abreast = Abreast::read(Arc::clone(store), keys, FACT_MAX);
        let mut approvals = Vec::new();
        let mut reasons = Vec::new();
        for name in known {
            let key = format!("{prefix}{name}");
            let fact = match Name::of(name, people) {
                None | Some(Name::Request) => continue,
                Some(Name::Claim) => self.claimed(&abreast, &key),
                Some(Name::Cancel) => {
                    self.decision(&abreast, &key, Decision::Cancel, None).map(drop)
                }
                Some(Name::Approval(who)) => self
                    .decision(&abreast, &key, Decision::Approve, Some(who))
                    .map(|approval| approvals.push(approval)),
                Some(Name::Reason(who)) => read::<Because>(&abreast, &key)
                    .map_err(|e| e.to_string())
                    .map(|said| reasons.push((who.to_owned(), neutral(&said.reason)))),
                Some(Name::Denial(who)) => self
                    .decision(&abreast, &key, Decision::Deny, Some(who))
                    .map(|(denial, _)| self.denials.push(denial)),
            };
            if let Err(why) = fact {
                self.ignored.push(format!("{name}: {why}"));
            }
        }
        let named = strange.iter().take(STRANGE_MAX);
        self.ignored.extend(named.map(|name| format!("{name}: {}", stranger(name))));
        if let Some(more @ 1..) = strange.len().checked_sub(STRANGE_MAX) {
            self.ignored.push(format!("{more} more objects that are no fact of a request"));
        }
        self.count(approvals, now);
        // Only of those whose denial counts.
        let denied =
            |who: &str| self.denials.iter().any(|denial| denial.statement.approver.as_str() == who);
        reasons.retain(|(who, _): &(String, String)| denied(who));
        self.reasons = reasons;
        Ok(())
    }

    /// Counts people, the earliest first.
    fn count(&mut self, mut approvals: Vec<(Decided, Signed)>, now: Stamp) {
        approvals.sort_by_key(|(decided, _)| decided.statement.made);
        for (decided, signed) in approvals {
            let who = &decided.statement.approver;
            let before =
                self.approvals.iter().find_map(|(one, _)| self.petition.same(Some(one), &decided));
            let refused = match () {
                () if decided.statement.expires <= now => Some("it has expired".to_owned()),
                () if decided.statement.made.0 > now.0.saturating_add(SKEW_US) => {
                    Some("it was made in the future".to_owned())
                }
                () if self.approvals.len() >= APPROVALS_MAX => Some("there are enough".to_owned()),
                () => before.map(|what| what.to_string()),
            };
            match refused {
                Some(why) => self.ignored.push(format!("approvals/{who}: {why}")),
                None => self.approvals.push((decided, signed)),
            }
        }
    }

    /// Reads one decision, which counts only under its author's name.
    fn decision(
        &mut self,
        store: &dyn ObjectStore,
        key: &str,
        expected: Decision,
        who: Option<&str>,
    ) -> Result<(Decided, Signed), String> {
        self.decided.extend(who.map(ToOwned::to_owned));
        let signed: Signed = read(store, key).map_err(|e| e.to_string())?;
        let bytes = base64::decode(&signed.statement).ok_or("the statement is not base64")?;
        let decided =
            self.petition.decided(&bytes, &signed.signature).map_err(|e| e.to_string())?;
        let author: &Principal = &decided.statement.approver;
        if decided.statement.decision != expected || who.is_some_and(|who| who != author.as_str()) {
            return Err("another decision, or another person's".into());
        }
        match expected {
            Decision::Cancel if *author == self.request().requester => self.cancelled = true,
            Decision::Cancel => return Err(format!("{author} did not ask, so cannot withdraw")),
            Decision::Approve | Decision::Deny => {
                if let Some(what) = self.petition.same(None, &decided) {
                    return Err(what.to_string());
                }
            }
        }
        Ok((decided, signed))
    }

    /// Takes note of a claim. Even one that cannot be read uses the request up: its name is taken.
    fn claimed(&mut self, store: &dyn ObjectStore, key: &str) -> Result<(), String> {
        let bytes = store.get(key, NOTE_MAX as u64).map_err(|e| e.to_string())?;
        let fact: Fact = Note::parse(NoteKind::Fact, &bytes)
            .and_then(|note| note.read())
            .map_err(|e| e.to_string())?;
        let says =
            |member: &str| fact.says.get(member).and_then(|text| text.as_str()).unwrap_or_default();
        let statement = base64::decode(says("statement")).unwrap_or_default();
        let taken = self.petition.taken(&statement, says("signature"), fact.session);
        self.claim = Some(fact);
        taken.map(drop).map_err(|e| e.to_string())
    }
}

/// Why somebody denied a request, as it is stored beside the denial.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// In their words.
    pub reason: String,
}

/// What the name of a stored object says that it is.
enum Name<'a> {
    Request,
    Claim,
    Cancel,
    Approval(&'a str),
    Denial(&'a str),
    Reason(&'a str),
}

impl<'a> Name<'a> {
    /// Reads a name. A decision can count only under the name of somebody who may sign.
    fn of(name: &'a str, people: &AllowedSigners) -> Option<Self> {
        let may = |who: &str| {
            let listed = |entry: &Entry| list_matches(&entry.principals, who);
            Principal::try_from(who.to_owned()).is_ok() && people.entries().iter().any(listed)
        };
        match name.split_once('/') {
            None if name == "request" => Some(Self::Request),
            None if name == "claim" => Some(Self::Claim),
            None if name == "cancel" => Some(Self::Cancel),
            Some(("approvals", who)) if may(who) => Some(Self::Approval(who)),
            Some(("denials", who)) if may(who) => Some(Self::Denial(who)),
            Some(("reasons", who)) if may(who) => Some(Self::Reason(who)),
            _ => None,
        }
    }
}

/// Why an object of this name is not even read.
fn stranger(name: &str) -> String {
    let decision = ["approvals/", "denials/"].iter().find_map(|place| name.strip_prefix(place));
    match decision.and_then(|who| Principal::try_from(who.to_owned()).ok()) {
        Some(who) => format!("its signer is not in allowed_signers for {who}"),
        None => "no fact of a request".to_owned(),
    }
}

/// Returns the ids of all requests, the oldest first.
///
/// # Errors
/// When the store cannot be listed.
pub fn ids(store: &dyn ObjectStore) -> Result<Vec<SessionId>, Failure> {
    Ok(ids_of(&listed(store)?))
}

/// Lists all that is known of all requests.
///
/// # Errors
/// When the store cannot be listed.
pub fn listed(store: &dyn ObjectStore) -> Result<Vec<Listed>, Failure> {
    store.list(REQUESTS).map_err(|e| Failure::new("cannot list the requests").because(e))
}

/// Returns the ids of the requests among what is listed, the oldest first. An id of the future is none of ours.
pub fn ids_of(entries: &[Listed]) -> Vec<SessionId> {
    let id = |key: &str| key.strip_prefix(REQUESTS)?.strip_suffix("/request")?.parse().ok();
    let latest = SystemClock.wall_us().saturating_add(SKEW_US);
    let ids = entries.iter().filter_map(|entry| id(&entry.key));
    ids.filter(|id: &SessionId| id.minted().0 <= latest).collect()
}

/// Returns which role a request is for.
///
/// # Errors
/// When there is no such request, or it is invalid.
pub fn role_of(world: &World, text: &str) -> Result<String, Failure> {
    let dossier = Dossier::open(world, find(&*world.store(), text)?, world.clock.now())?;
    Ok(dossier.request().role.clone())
}

/// Finds a request by the beginning of its id, or by `last`.
///
/// # Errors
/// When there is none, or more than one.
pub fn find(store: &dyn ObjectStore, text: &str) -> Result<SessionId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let ids = ids(store)?;
    let hint = "bg-shell requests --all lists them";
    match beginning_or_last(text, ids, SessionId::to_string) {
        Named::One(id) => Ok(id),
        Named::None => Err(Failure::new(format!("there is no request {text:?}")).hint(hint)),
        Named::Several(_) => {
            Err(Failure::new(format!("more than one request begins with {text:?}")).hint(hint))
        }
    }
}

/// Reads the allowed_signers file of a role.
///
/// # Errors
/// When it cannot be read, or one line of it cannot.
pub fn signers(role: &RoleConfig) -> Result<(Vec<u8>, AllowedSigners), Failure> {
    let path = role.allowed_signers.display();
    let text = std::fs::read(&role.allowed_signers).map_err(|e| {
        Failure::new(format!("cannot read {path}"))
            .because(e)
            .hint("see allowed_signers of the role")
    })?;
    let signers = AllowedSigners::parse(&text).map_err(|e| {
        Failure::new(format!("cannot use {path}"))
            .because(e)
            .hint("see ssh-keygen(1), ALLOWED SIGNERS")
    })?;
    Ok((text, signers))
}

/// A request holds for the role as its approvers knew it, and asks for no more than the role gives.
fn same_terms(
    request: &Request,
    world: &World,
    scope: Option<&[u8]>,
    now: Stamp,
) -> Result<(), Failure> {
    let role = world.role(&request.role)?;
    let what = |what: &str| {
        Failure::new(format!("request {} is void: {what}", request.id)).hint("make a new request")
    };
    let same = terms::digest(role, scope, &world.store_identity()) == request.policy_sha256
        && (&request.role_arn, request.quorum) == (&role.arn, u64::from(role.quorum));
    if !same {
        return Err(what(
            "the configuration of its role, or its evidence store, is not that which it was made under",
        ));
    }
    let waits_us = u128::from(request.expires.0.saturating_sub(request.created.0));
    let within = request.duration_s <= role.max_duration.as_secs().max(1)
        && request.execution_s <= role.execution_expires.as_secs().max(1)
        && waits_us <= role.approval_expires.as_micros()
        && request.created.0 <= now.0.saturating_add(SKEW_US)
        && (role.r#override || !request.forced);
    if within { Ok(()) } else { Err(what("it asks for more than its role gives")) }
}

fn invalid(id: SessionId, what: &str) -> Failure {
    Failure::new(format!("request {id} is void: {what}"))
        .hint("what is stored was changed, or its requester may not ask any more")
}

fn read<T: DeserializeOwned>(store: &dyn ObjectStore, key: &str) -> Result<T, Failure> {
    let bytes = store.get(key, FACT_MAX).map_err(|e| match e {
        StoreError::Missing(_) => {
            Failure::new(format!("there is no {key}")).hint("bg-shell requests --all lists them")
        }
        e => Failure::new("cannot read a request").because(e),
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Failure::new(format!("{key} is not what it should be")).because(e))
}

/// Where requests are.
pub const REQUESTS: &str = "requests/";
/// The most bytes of a stored fact: a request in base64, and its signature.
pub const FACT_MAX: u64 = 32_768;
/// How many decisions on one request are read, at most. More would be a denial that nobody sees among them.
const FACTS_MAX: usize = 256;
/// How many objects that are no facts are named.
const STRANGE_MAX: usize = 8;
/// The most bytes of a reason for a denial.
pub const REASON_MAX: usize = 1_024;
