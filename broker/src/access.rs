//! An access: from the second factor to the proof that nothing of it is left.

mod mfa_check;
mod opening;

use std::sync::Arc;

use aws_credential_types::Credentials;
use bg_aws::edge::Edge;
use bg_recorder::clock::{Clock as _, Stamp, SystemClock};
use bg_recorder::keys::KeyService;
use bg_recorder::session::SessionId;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde_json::{Map, Value, json};

use self::mfa_check::SecondFactor;
use crate::case::Case;
use crate::claim::Claim;
use crate::clock_check;
use crate::closeout::{self, Exhibit};
use crate::credentials::Wanted;
use crate::custody::Custody;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::grant::{Grant, GrantArgs};
use crate::private::{Private, Variables};
use crate::revocation::Revocation;
use crate::session_policy;
use crate::signals::Signals;
use crate::signer::SignerArgs;
use crate::switch::Switch;
use crate::vault::Vault;
use crate::world::World;

/// What a responder wants.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The role's name in the configuration.
    pub role: String,
    /// The request to use; without one, one is filed and waited for.
    pub request: Option<String>,
    /// Without approvals, where the role allows it.
    pub forced: bool,
    /// Why.
    pub reason: Option<String>,
    /// For which incident.
    pub incident: Option<String>,
    /// For how long.
    pub max_duration: std::time::Duration,
    /// Who signs a request that is filed now.
    pub signer: SignerArgs,
}

impl Wish {
    fn asks(&self) -> GrantArgs {
        GrantArgs {
            request: self.request.clone(),
            reason: self.reason.clone(),
            incident: self.incident.clone(),
            duration: Some(self.max_duration),
            forced: self.forced,
            signer: self.signer.clone(),
        }
    }
}

/// One access of one session. What ends it is [`Access::close`], on every way out.
pub struct Access<'a> {
    world: &'a World,
    claim: Claim,
    second: SecondFactor,
    wanted: Wanted,
    keys: Box<dyn KeyService>,
    case: Case,
    edge: Edge,
    vault: Arc<Vault>,
    switch: Switch,
    endpoint: Endpoint,
    private: Private,
    custody: Option<Custody>,
    /// Credentials from the moment they were issued, and when they die: custody may not have begun.
    issued: Option<(Credentials, Stamp)>,
    /// Why none can have been issued, as long as that is certain.
    unissued: Option<&'static str>,
}

/// How an access ended, for the seal and the last lines.
#[derive(Debug)]
pub struct Closed {
    /// What was proved.
    pub revocation: Revocation,
    /// How many credentials were issued.
    pub issued: u32,
    /// How often they were handed out.
    pub served: u64,
}

impl<'a> Access<'a> {
    /// Gets everything ready that has no effect in AWS: the grant, the second factor, the claim, the endpoint.
    ///
    /// # Errors
    /// When any of it is missing. Nothing was asked for then.
    pub fn prepare(
        wish: &Wish,
        session: SessionId,
        world: &'a World,
        signals: &mut Signals,
    ) -> Result<Self, Failure> {
        // The code and the credentials pass through this process's memory: no core, no ptrace.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|e| Failure::new("cannot protect the broker").because(std::io::Error::from(e)))?;
        let role = world.role(&wish.role)?;
        let not_narrowed = |e| Failure::new("no session policy can be made").because(e).hint(POLICY_HINT);
        // What would fail later fails before anybody is asked for anything.
        session_policy::narrowed(role, Stamp(SystemClock.wall_us())).map_err(not_narrowed)?;
        let keys = world.keys()?;
        let edge = world.edge(role.profiles.source.as_deref())?;
        clock_check::agrees(&edge)?;
        let grant = Grant::obtain(world, &wish.role, &wish.asks())?;
        let second = SecondFactor::take(role, grant.person(), session, world, signals)?;
        let mut claim = grant.claim(session, &*keys)?;
        claim.deadline = claim.deadline.min(later(wish.max_duration));
        let wanted = Wanted::of(&claim).map_err(not_narrowed)?;
        let local = |e| Failure::new("cannot set the credentials endpoint up").because(e);
        let vault = Arc::new(Vault::default());
        let endpoint = Endpoint::bind(&edge, Arc::clone(&vault)).map_err(local)?;
        let private = Private::make(world.evidence().state(), session).map_err(local)?;
        Ok(Self {
            case: Case::new(session, world.store()),
            switch: Switch::of(Arc::clone(&vault)),
            custody: None,
            issued: None,
            unissued: Some("the role was not asked for"),
            world,
            claim,
            second,
            wanted,
            keys,
            edge,
            vault,
            endpoint,
            private,
        })
    }

    /// Returns the session's switch.
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// Lends the claim.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Returns the changes to the session's environment.
    pub fn variables(&self) -> Variables {
        self.private.variables(self.claim.session, &self.endpoint, self.edge.region(), self.world)
    }

    /// Returns what the genesis says of it.
    pub fn about(&self) -> Map<String, Value> {
        let claim = &self.claim;
        object(json!({
            "role": claim.name, "role_arn": claim.role.arn, "person": claim.person,
            "reason": claim.reason, "incident": claim.incident, "request": claim.request,
            "access": claim.access, "approvals": claim.request_sha256, "forced": claim.forced,
            "custody": "exported", "delivery": claim.role.delivery, "mfa": self.second.attested().word(),
            "deadline": claim.deadline,
        }))
    }

    /// Ends it: nothing is handed out any more, it is denied, and that is proved; or it is said that it is not.
    pub fn close(mut self) -> Closed {
        self.switch.finish();
        self.vault.close("the session is over");
        let held = self.custody.take().map(Custody::stop);
        let newest = match &held {
            Some(held) => Some((held.credentials.clone(), held.expires)),
            None => self.issued.take(),
        };
        let exhibit = newest
            .map(|(credentials, expires)| Exhibit { edge: self.edge.with_credentials(credentials), expires });
        let issued = held.as_ref().map_or(u32::from(exhibit.is_some()), |held| held.issued);
        let (world, claim, keys) = (self.world, &self.claim, &*self.keys);
        let revocation = match self.unissued {
            Some(why) => closeout::unissued(world, claim, why, keys),
            None => closeout::close(world, claim, exhibit.as_ref(), keys),
        };
        Closed { revocation, issued, served: self.vault.served() }
    }
}

impl Closed {
    /// Returns what the seal says of it.
    pub fn about(&self) -> Map<String, Value> {
        object(json!({"revocation": self.revocation, "issued": self.issued, "served": self.served}))
    }
}

fn later(time: std::time::Duration) -> Stamp {
    Stamp(SystemClock.wall_us().saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

const POLICY_HINT: &str = "see roles.<name>.session_policy; bg-shell doctor checks it";
