//! How doctor looks: read-only calls.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_iam::types::Role;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bg_aws::edge::{Edge, Reach};
use bg_aws::fault::{CallError, CallKind};
use bg_aws::journal::Journal;
use bg_aws::s3::S3Config;

use super::policy::{Document, NotAPolicy};
use crate::config::RoleConfig;
use crate::failure::Failure;
use crate::world::World;

/// AWS as the looking principal sees it.
pub struct Eyes<'w> {
    /// The configuration.
    pub world: &'w World,
    /// Its calls are the looker's.
    pub edge: Edge,
    pub sts: aws_sdk_sts::Client,
    pub iam: aws_sdk_iam::Client,
    pub kms: aws_sdk_kms::Client,
    pub sns: aws_sdk_sns::Client,
    /// The evidence bucket, if there is one.
    pub bucket: Option<Bucket>,
    /// Services that did not answer once: nobody waits for them again.
    silent: Mutex<BTreeSet<&'static str>>,
}

/// The evidence bucket.
pub struct Bucket {
    pub name: String,
    pub s3: aws_sdk_s3::Client,
    /// Where that is, if it is not where the roles are.
    pub foreign: Option<String>,
    /// The calls that were made to it.
    pub journal: Journal,
}

/// A role as it was seen, once for all the checks of it.
pub struct SeenRole {
    pub role: Result<Role, CallError>,
    /// Its trust policy.
    pub trust: Result<Document, NotAPolicy>,
}

impl<'w> Eyes<'w> {
    /// Opens them, with a profile's credentials or those of `[aws]`.
    ///
    /// # Errors
    /// When AWS cannot be called at all.
    pub fn open(world: &'w World, profile: Option<&str>) -> Result<Self, Failure> {
        let edge = world.edge(profile)?;
        let sdk = edge.sdk();
        let journal = edge.journal();
        let sts = aws_sdk_sts::config::Builder::from(sdk);
        let iam = aws_sdk_iam::config::Builder::from(sdk);
        let kms = aws_sdk_kms::config::Builder::from(sdk);
        let sns = aws_sdk_sns::config::Builder::from(sdk);
        Ok(Self {
            world,
            sts: aws_sdk_sts::Client::from_conf(sts.interceptor(journal.clone()).build()),
            iam: aws_sdk_iam::Client::from_conf(iam.interceptor(journal.clone()).build()),
            kms: aws_sdk_kms::Client::from_conf(kms.interceptor(journal.clone()).build()),
            sns: aws_sdk_sns::Client::from_conf(sns.interceptor(journal).build()),
            bucket: bucket(world, profile)?,
            silent: Mutex::default(),
            edge,
        })
    }

    /// Waits for a call of that action.
    ///
    /// # Errors
    /// The call's.
    pub fn see<T, E>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if self.is_silent(service(action)) {
            return Err(CallError::lost(action, "not asked: it did not answer before"));
        }
        let seen = match self.edge.within(PATIENCE, call) {
            Some(answer) => answer.map_err(|e| CallError::new(action, &e)),
            None => Err(CallError::lost(action, "no answer in time")),
        };
        seen.inspect_err(|e| {
            if e.kind == CallKind::Unreachable {
                self.silent().insert(service(action));
            }
        })
    }

    /// Returns whether a service, such as `iam`, did not answer.
    pub fn is_silent(&self, service: &str) -> bool {
        self.silent().contains(service)
    }

    fn silent(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a role, and shows it to its checks.
    pub fn role(&self, role: &RoleConfig, check: impl FnOnce(&SeenRole)) {
        let seen = self.see("iam:GetRole", self.iam.get_role().role_name(role.role_name()).send());
        let seen = seen.and_then(|seen| seen.role.ok_or_else(|| empty("iam:GetRole")));
        let trust = seen.as_ref().map_err(|e| NotAPolicy::Unseen(e.to_string()));
        let trust = trust.and_then(|role| {
            Document::parse(role.assume_role_policy_document().unwrap_or_default())
        });
        check(&SeenRole { role: seen, trust });
    }

    /// Returns the ARN of who a profile is; none: that of `[aws]`, which records.
    ///
    /// # Errors
    /// When there are no such credentials, or AWS cannot be called.
    pub fn caller(&self, profile: Option<&str>) -> Result<String, CallError> {
        let edge = self.world.edge(profile).map_err(|e| CallError {
            message: e.to_string(),
            kind: bg_aws::fault::CallKind::NoCredentials,
            ..empty("sts:GetCallerIdentity")
        })?;
        let config = aws_sdk_sts::config::Builder::from(edge.sdk())
            .interceptor(edge.journal())
            .retry_classifier(edge.renewed())
            .build();
        let call = aws_sdk_sts::Client::from_conf(config).get_caller_identity().send();
        let answer = edge
            .within(PATIENCE, call)
            .ok_or_else(|| CallError::lost("sts:GetCallerIdentity", "no answer in time"))?
            .map_err(|e| CallError::new("sts:GetCallerIdentity", &e))?;
        answer.arn.ok_or_else(|| empty("sts:GetCallerIdentity"))
    }
}

fn service(action: &'static str) -> &'static str {
    action.split(':').next().unwrap_or(action)
}

fn bucket(world: &World, profile: Option<&str>) -> Result<Option<Bucket>, Failure> {
    let evidence = &world.config.evidence;
    let Some(url) = evidence.store.as_deref().filter(|store| store.starts_with("s3://")) else {
        return Ok(None);
    };
    let unusable =
        |e| Failure::new("cannot use the evidence world").because(e).hint("see [evidence]");
    let s3 = S3Config::parse(url, evidence).map_err(unusable)?;
    let own = Reach {
        region: evidence.region.clone(),
        endpoint: evidence.endpoint.clone(),
        ca: evidence.ca.clone(),
        profile: evidence.profile.clone().or_else(|| profile.map(ToOwned::to_owned)),
    };
    let reach = own.or(&world.config.aws);
    let edge = Edge::open(&reach)
        .map_err(|e| Failure::new("cannot call S3").because(e).hint("see [evidence]"))?;
    let config = aws_sdk_s3::config::Builder::from(edge.sdk())
        .interceptor(edge.journal())
        .retry_classifier(edge.renewed())
        .force_path_style(s3.path_style)
        .build();
    let foreign =
        reach.endpoint.filter(|endpoint| Some(endpoint) != world.config.aws.endpoint.as_ref());
    Ok(Some(Bucket {
        name: s3.bucket,
        s3: aws_sdk_s3::Client::from_conf(config),
        foreign,
        journal: edge.journal(),
    }))
}

/// An answer without what was asked for.
pub fn empty(action: &'static str) -> CallError {
    CallError {
        action,
        kind: bg_aws::fault::CallKind::Refused,
        code: None,
        message: "an empty answer".to_owned(),
        request_id: None,
    }
}

/// How long one call may take: of those that do not answer, few are waited for, and side by side.
const PATIENCE: Duration = Duration::from_secs(8);
