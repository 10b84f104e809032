//! All that is known of one request: the facts below `requests/<id>/`, each checked before it counts.

mod facts;

use std::sync::Arc;

use bg_recorder::approval::SKEW_US;
use bg_recorder::approval::access::{Access, Signed};
use bg_recorder::approval::quorum::{Decided, Petition};
use bg_recorder::approval::request::Request;
use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::base64;
use bg_recorder::facts::case::Fact;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{ObjectStore, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::facts::{Because, REASON_MAX};
use crate::failure::Failure;
use crate::request::lookup::{REQUESTS, find};
use crate::request::signer::signers;
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
}

/// Returns which role a request is for.
///
/// # Errors
/// When there is no such request, or it is invalid.
pub fn role_of(world: &World, text: &str) -> Result<String, Failure> {
    let now = world.clock.now();
    let dossier = Dossier::open(world, find(&*world.store(), text, now)?, now)?;
    Ok(dossier.request().role.clone())
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

/// The most bytes of a stored fact: a request in base64, and its signature.
pub const FACT_MAX: u64 = 32_768;
