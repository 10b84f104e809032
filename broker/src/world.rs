//! What a command works in: the configuration, the evidence world it names, and AWS as it is reached from here.

use std::sync::{Arc, OnceLock};

use bg_aws::edge::{Edge, Reach};
use bg_aws::evidence::Evidence;
use bg_aws::kms::away;
use bg_recorder::cause::chain;
use bg_recorder::clock::{Clock, SystemClock};
use bg_recorder::keys::{KeyError, KeyService};
use bg_recorder::store::ObjectStore;

use crate::config::{Config, OutageConfig, RoleConfig};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::news::{Listener, News};
use crate::notify::Notifier;

/// Everything that a command may touch.
pub struct World {
    /// What is configured.
    pub config: Config,
    /// What the environment says.
    pub environment: Environment,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    evidence: Arc<Evidence>,
    listener: Arc<dyn Listener>,
    notifier: OnceLock<Notifier>,
    /// Why a session of this run began without KMS: what the standby key has begun, it ends.
    alone: OnceLock<String>,
}

impl World {
    /// Opens the world that a configuration names.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn open(environment: Environment, listener: Arc<dyn Listener>) -> Result<Self, Failure> {
        let mut config = Config::load(environment.config.as_deref(), &environment)?;
        config.aws.trust(environment.ca.clone());
        let evidence = Evidence::open(&config.evidence, &config.aws, &environment.practice)
            .map_err(|e| {
                Failure::new("cannot use the evidence world")
                    .because(e)
                    .hint("see [evidence] and [aws]")
            })?;
        let evidence = Arc::new(evidence);
        Ok(Self {
            config,
            environment,
            clock: Arc::new(SystemClock),
            evidence,
            listener,
            notifier: OnceLock::new(),
            alone: OnceLock::new(),
        })
    }

    /// Returns the evidence store.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.evidence.store()
    }

    /// Opens the keys as a recording host may use them.
    ///
    /// # Errors
    /// When they are unusable.
    pub fn keys(&self) -> Result<Box<dyn KeyService>, Failure> {
        match self.alone.get() {
            Some(why) => self.evidence.keys_alone(why),
            None => self.evidence.keys(),
        }
        .map_err(|e| unusable(e, KEYS_HINT))
    }

    /// Opens the keys that a session begins with. Where it may begin without KMS, and KMS is away, they are the escrow
    /// key and the standby key, and so they are for all of this run from then on.
    ///
    /// # Errors
    /// When they are unusable.
    pub fn keys_to_begin(&self, outage: &OutageConfig) -> Result<Box<dyn KeyService>, Failure> {
        let e = match self.evidence.keys() {
            Err(e) if away(&e) => e,
            keys => return keys.map_err(|e| unusable(e, KEYS_HINT)),
        };
        let why = chain(&e);
        match (outage.start_keyless, self.evidence.keys_alone(&why)) {
            (true, Ok(keys)) => {
                self.hear(&News::WithoutKeys { why: &why });
                self.alone.get_or_init(|| why);
                Ok(keys)
            }
            (true, Err(_)) => Err(unusable(e, ALONE_HINT)),
            (false, _) => Err(unusable(e, KEYLESS_HINT)),
        }
    }

    /// Tells whoever listens to this run what happened.
    pub fn hear(&self, news: &News<'_>) {
        self.listener.hear(news);
    }

    /// Returns who tells others. The first call begins with what earlier runs left.
    pub fn notifier(&self) -> &Notifier {
        let config = &self.config;
        let state = self.evidence.state();
        let drill = config.drill.role.clone();
        self.notifier.get_or_init(|| {
            Notifier::new(&config.notify, drill, &config.aws, state, &self.listener)
        })
    }

    /// Gives notifications a last moment, where there were any.
    pub fn finish(self) {
        if let Some(notifier) = self.notifier.into_inner() {
            notifier.finish();
        }
    }

    /// Returns the evidence world.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Returns the evidence world, for a thread to keep.
    pub fn shared(&self) -> Arc<Evidence> {
        Arc::clone(&self.evidence)
    }

    /// Returns what opens the keys, as [`World::keys`] does, in a thread of its own.
    pub fn key_source(&self) -> impl FnOnce() -> Option<Box<dyn KeyService>> + Send + 'static {
        let evidence = self.shared();
        let alone = self.alone.get().cloned();
        move || alone.map_or_else(|| evidence.keys(), |why| evidence.keys_alone(&why)).ok()
    }

    /// Returns which evidence store this is: what is signed for one store holds in no other.
    pub fn store_identity(&self) -> String {
        let World { config, environment, .. } = self;
        config.evidence.identity(&config.aws, &environment.practice)
    }

    /// Returns whether this is the practice world: nothing is configured.
    pub fn is_practice(&self) -> bool {
        self.config.evidence.store.is_none()
    }

    /// Returns a configured role.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn role(&self, name: &str) -> Result<&RoleConfig, Failure> {
        self.config.roles.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.config.roles.keys().map(String::as_str).collect();
            let hint = if known.is_empty() {
                "without a configured AWS account there is one role, practice".to_owned()
            } else {
                format!("configured are: {}", known.join(", "))
            };
            Failure::new(format!("there is no role {name:?}")).hint(hint)
        })
    }

    /// Returns how AWS is reached with a profile's credentials, or with those of `[aws]`.
    pub fn reach(&self, profile: Option<&str>) -> Reach {
        let own = Reach { profile: profile.map(ToOwned::to_owned), ..Reach::default() };
        own.or(&self.config.aws)
    }

    /// Opens a way to AWS with a profile's credentials, or with those of `[aws]`.
    ///
    /// # Errors
    /// When AWS cannot be called at all.
    pub fn edge(&self, profile: Option<&str>) -> Result<Edge, Failure> {
        Edge::open(&self.reach(profile))
            .map_err(|e| Failure::new("cannot call AWS").because(e).hint("see [aws]"))
    }
}

fn unusable(e: KeyError, hint: &str) -> Failure {
    Failure::new("cannot use the evidence keys").because(e).hint(hint)
}

const KEYS_HINT: &str =
    "see [evidence] kms_key and signing_key; an operator's bg-shell doctor checks them";
const KEYLESS_HINT: &str =
    "reach KMS; start_keyless = true in the outage section lets a session begin without it";
const ALONE_HINT: &str =
    "reach KMS; with [evidence] escrow and standby a session can begin without it";
