//! Reachability: an access is opened through STS, recorded through S3 and KMS, and ended through IAM.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use bg_aws::fault::{CallError, CallKind};
use bg_recorder::neutral::neutral;

use super::eyes::Eyes;
use super::finding::Finding;
use super::round::Check;
use crate::environment::Environment;

/// Says by which ways this machine goes to AWS, where the environment or a profile prescribes some.
fn ways(environment: &Environment, ca: Option<&Path>, findings: &mut Vec<Finding>) {
    let proxies = environment.proxies.iter();
    let shown: Vec<String> = proxies.map(|(name, value)| shown(name, value)).collect();
    let (but, through): (Vec<_>, Vec<_>) =
        shown.into_iter().partition(|way| way.to_ascii_uppercase().starts_with("NO_PROXY"));
    if !through.is_empty() {
        findings.push(Finding::ok("reach proxy", [through, but].concat().join(", ")));
    }
    if let Some(ca) = ca {
        let saw = format!("{} are trusted instead of the system's", ca.display());
        findings.push(Finding::ok("reach certificates", saw));
    }
}

/// A proxy's password is nobody's to read.
fn shown(name: &str, value: &OsStr) -> String {
    let value = value.to_string_lossy();
    let (scheme, rest) = value.split_once("://").unwrap_or(("", &value));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{name} {scheme}{separator}{}", neutral(host))
}

/// Calls each service once, side by side.
pub fn checks<'c>(eyes: &'c Eyes<'_>) -> Vec<Check<'c>> {
    let mut checks: Vec<Check<'c>> = vec![Box::new(move |findings| {
        ways(&eyes.world.environment, eyes.edge.certificates(), findings);
        let sts =
            || eyes.see("sts:GetCallerIdentity", eyes.sts.get_caller_identity().send()).map(drop);
        reached("sts", "no credentials without it", sts, findings);
    })];
    if let Some(role) = eyes.world.config.roles.values().next() {
        checks.push(Box::new(move |findings| {
            let call = || eyes.iam.get_role().role_name(role.role_name()).send();
            let iam = || eyes.see("iam:GetRole", call()).map(drop);
            let why = "an access cannot be denied without it: it stays alive until it expires";
            reached("iam", why, iam, findings);
        }));
    }
    if let Some(key) = &eyes.world.config.evidence.kms_key {
        checks.push(Box::new(move |findings| {
            let call = || eyes.kms.describe_key().key_id(key).send();
            let kms = || eyes.see("kms:DescribeKey", call()).map(drop);
            reached("kms", "no session begins without its keys", kms, findings);
        }));
    }
    if let Some(bucket) = &eyes.bucket {
        checks.push(Box::new(move |findings| {
            let call = || bucket.s3.head_bucket().bucket(&bucket.name).send();
            let s3 = || eyes.see("s3:ListBucket", call()).map(drop);
            reached("s3", "no session begins without a place for its evidence", s3, findings);
        }));
    }
    checks
}

fn reached(
    service: &str,
    why: &str,
    call: impl Fn() -> Result<(), CallError>,
    findings: &mut Vec<Finding>,
) {
    let check = format!("reach {service}");
    let began = Instant::now();
    let answer = call();
    let took = began.elapsed();
    findings.push(match answer {
        Err(e) if e.kind == CallKind::Unreachable => {
            Finding::fail(check, e.to_string(), why, fix(&e))
        }
        Err(e) if is_about_who(&e) => Finding::fail(check, e.to_string(), why, fix(&e)),
        // It answered, if only to refuse: the checks that need the answer say what is missing.
        _ if took > SLOW => {
            Finding::warn(check, format!("{} ms", took.as_millis()), SLOW_WHY, SLOW_FIX)
        }
        _ => Finding::ok(check, format!("{} ms", took.as_millis())),
    });
}

/// Whether nobody with these credentials gets anywhere.
fn is_about_who(error: &CallError) -> bool {
    let refused = error.action == "sts:GetCallerIdentity" && error.kind == CallKind::Denied;
    refused || matches!(error.kind, CallKind::NoCredentials | CallKind::Expired | CallKind::Skewed)
}

fn fix(error: &CallError) -> String {
    error.hint().unwrap_or_else(|| "check the network, the endpoint and the region".to_owned())
}

const SLOW: Duration = Duration::from_secs(2);
const SLOW_WHY: &str = "a session waits for its genesis, and its credentials, before the prompt";
const SLOW_FIX: &str = "look at the network, or name a nearer endpoint in [aws]";
