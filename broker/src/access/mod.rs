//! An access: from the second factor to the proof that nothing of it is left.

mod early;
mod ending;
mod opening;
mod renewal;
mod second_factor;

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use bg_aws::edge::{Edge, Reach};
use bg_recorder::keys::KeyService;
use bg_recorder::stamp::Stamp;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde_json::{Map, Value, json};

use self::early::Early;
pub use self::ending::Closed;
pub use self::renewal::{NotRenewed, Renewal};
use self::second_factor::SecondFactor;
use crate::account::clock_check;
use crate::config::Extensions;
use crate::custody::Custody;
use crate::custody::credentials::Wanted;
use crate::custody::endpoint::Endpoint;
use crate::custody::private::Private;
use crate::custody::session_policy;
use crate::custody::switch::Switch;
use crate::custody::vault::Vault;
use crate::facts::claim::Claim;
use crate::failure::Failure;
use crate::herald;
use crate::os::signals::Signals;
use crate::os::variables::Variables;
use crate::request::grant::Grant;
use crate::world::World;
use bg_recorder::facts::case::{Case, members};

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
    early: Early,
    /// Credentials from the moment they were issued, and when they die: custody may not have begun.
    issued: Option<(Credentials, Stamp)>,
    /// How long it may last, to the nearest second: no longer than was approved.
    lasts_s: u64,
    /// Why none can have been issued, as long as that is certain.
    unissued: Option<&'static str>,
}

impl<'a> Access<'a> {
    /// Gets everything ready that has no effect in AWS: the second factor, the claim, the endpoint.
    ///
    /// # Errors
    /// When any of it is missing. Nothing was asked for then.
    pub fn prepare(
        grant: Grant<'a>,
        max_duration: Duration,
        world: &'a World,
        signals: &mut Signals,
    ) -> Result<Self, Failure> {
        // The code and the credentials pass through this process's memory: no core, no ptrace.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| {
            Failure::new("cannot protect the broker").because(std::io::Error::from(e))
        })?;
        let session = grant.session();
        let not_narrowed =
            |e| Failure::new("no session policy can be made").because(e).hint(POLICY_HINT);
        // What would fail later fails before anybody is asked for anything.
        session_policy::narrowed(grant.role(), grant.scope(), world.clock.now())
            .map_err(not_narrowed)?;
        let keys = world.keys()?;
        let edge = world.edge(grant.role().profiles.source.as_deref())?;
        clock_check::agrees(world, &edge)?;
        let second = SecondFactor::take(&grant, session, world, signals)?;
        let mut claim = grant.claim(&*keys)?;
        if claim.forced {
            herald::overridden(world, &claim)?;
        }
        let now = world.clock.now();
        claim.deadline = claim.deadline.min(now.after(max_duration));
        claim.latest = match claim.role.outage.extensions {
            Extensions::Never => claim.deadline,
            Extensions::Approver | Extensions::Responder => claim.latest.max(claim.deadline),
        };
        let lasts_s = claim.deadline.0.saturating_sub(now.0).saturating_add(500_000) / 1_000_000;
        let wanted = Wanted::of(&claim).map_err(not_narrowed)?;
        let local = |e| Failure::new("cannot set the credentials endpoint up").because(e);
        let vault = Arc::new(Vault::default());
        let endpoint =
            Endpoint::bind(&edge, Arc::clone(&vault), Arc::clone(&world.clock)).map_err(local)?;
        let private = Private::make(world.evidence().state(), session).map_err(local)?;
        Ok(Self {
            case: Case::new(session, world.store()),
            switch: Switch::of(Arc::clone(&vault)),
            custody: None,
            early: Early::default(),
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
            lasts_s,
        })
    }

    /// Returns the session's switch.
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }

    /// Returns what moves its end; none before it is active.
    pub fn renewal(&self) -> Option<Renewal> {
        let custody = self.custody.as_ref()?;
        let store = self.world.store();
        Some(Renewal::new(self.claim.clone(), store, custody.orders()?))
    }

    /// Lends the claim.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Returns the changes to the session's environment.
    pub fn variables(&self) -> Variables {
        let World { config, environment, .. } = self.world;
        let session = self.claim.session;
        let region = self.edge.region();
        let ca = self.edge.certificates().map(ToOwned::to_owned);
        let aws = Reach { ca, ..config.aws.clone() };
        self.private.with_endpoint(session, environment, &self.endpoint, region, &aws)
    }

    /// Returns what the genesis says of it.
    pub fn about(&self) -> Map<String, Value> {
        let claim = &self.claim;
        members(json!({
            "role": claim.name, "role_arn": claim.role.arn, "person": claim.person,
            "reason": claim.reason, "incident": claim.incident, "request": claim.request,
            "access": claim.access, "approvals": claim.request_sha256, "forced": claim.forced,
            "custody": "exported", "delivery": claim.role.delivery, "mfa": self.second.attested().word(),
            "deadline": claim.deadline, "max_duration_s": self.lasts_s,
        }))
    }
}

const POLICY_HINT: &str =
    "see roles.<name>.session_policy; an operator's bg-shell doctor checks it";
