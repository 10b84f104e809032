//! Where evidence is: that nothing there can be overwritten, deleted, or read by the world.

use aws_sdk_s3::types::{BucketVersioningStatus, ServerSideEncryption};

use super::eyes::{Bucket, Eyes};
use super::finding::Finding;
use super::policy::Document;

/// Checks the evidence store.
pub fn check(eyes: &Eyes<'_>, findings: &mut Vec<Finding>) {
    let Some(bucket) = &eyes.bucket else {
        findings.push(directory(eyes));
        return;
    };
    let sight = Sight { eyes, bucket };
    findings.push(sight.versioning());
    findings.push(sight.lock());
    findings.push(sight.public());
    findings.push(sight.encryption());
    sight.policy(findings);
}

/// The bucket, looked at.
struct Sight<'e> {
    eyes: &'e Eyes<'e>,
    bucket: &'e Bucket,
}

impl Sight<'_> {
    fn versioning(&self) -> Finding {
        let call = self.bucket.s3.get_bucket_versioning().bucket(&self.bucket.name);
        match self.eyes.see("s3:GetBucketVersioning", call.send()) {
            Ok(seen) if seen.status() == Some(&BucketVersioningStatus::Enabled) => {
                Finding::ok("bucket versions", "kept")
            }
            Ok(_) => {
                let why =
                    "what is overwritten is gone, and bg-replay cannot see that something was";
                Finding::fail(
                    "bucket versions",
                    "not kept",
                    why,
                    "aws s3api put-bucket-versioning; then Object Lock",
                )
            }
            Err(e) => Finding::unseen("bucket versions", &e),
        }
    }

    fn lock(&self) -> Finding {
        let wanted = self.eyes.world.config.evidence.object_lock_days;
        let call = self.bucket.s3.get_object_lock_configuration().bucket(&self.bucket.name);
        let seen = self.eyes.see("s3:GetBucketObjectLockConfiguration", call.send());
        let why = "who may delete objects deletes evidence";
        match seen {
            Ok(seen) => {
                let rule = seen.object_lock_configuration.and_then(|lock| lock.rule);
                let kept = rule.and_then(|rule| rule.default_retention);
                let days = kept
                    .as_ref()
                    .and_then(|kept| kept.days.or(kept.years.map(|years| years * 365)));
                match (days, wanted) {
                    (Some(days), _) => {
                        Finding::ok("bucket lock", format!("on, {days} days by default"))
                    }
                    (None, Some(days)) => {
                        Finding::ok("bucket lock", format!("on, {days} days by bg-shell"))
                    }
                    (None, None) => {
                        Finding::warn("bucket lock", "on, and nothing is locked", why, LOCK_FIX)
                    }
                }
            }
            Err(e) if e.code.as_deref() == Some("ObjectLockConfigurationNotFoundError") => {
                Finding::fail("bucket lock", "off", why, LOCK_FIX)
            }
            Err(e) => Finding::unseen("bucket lock", &e),
        }
    }

    fn public(&self) -> Finding {
        let call = self.bucket.s3.get_public_access_block().bucket(&self.bucket.name);
        let why = "one wrong policy, and the world has the tapes: sealed, but with who, when and how long";
        match self.eyes.see("s3:GetBucketPublicAccessBlock", call.send()) {
            Ok(seen) => {
                let all = seen.public_access_block_configuration.is_some_and(|block| {
                    let parts = [
                        block.block_public_acls,
                        block.block_public_policy,
                        block.ignore_public_acls,
                        block.restrict_public_buckets,
                    ];
                    parts.iter().all(|part| *part == Some(true))
                });
                if all {
                    return Finding::ok("bucket public access", "blocked");
                }
                Finding::fail("bucket public access", "not blocked entirely", why, PUBLIC_FIX)
            }
            Err(e) if e.code.as_deref() == Some("NoSuchPublicAccessBlockConfiguration") => {
                Finding::fail("bucket public access", "not blocked", why, PUBLIC_FIX)
            }
            Err(e) => Finding::unseen("bucket public access", &e),
        }
    }

    fn encryption(&self) -> Finding {
        let call = self.bucket.s3.get_bucket_encryption().bucket(&self.bucket.name);
        let seen = match self.eyes.see("s3:GetEncryptionConfiguration", call.send()) {
            Ok(seen) => seen,
            // Tapes are sealed before they are stored.
            Err(e)
                if e.code.as_deref() == Some("ServerSideEncryptionConfigurationNotFoundError") =>
            {
                return Finding::ok("bucket encryption", "none besides the tapes' own");
            }
            Err(e) => return Finding::unseen("bucket encryption", &e),
        };
        let rules =
            seen.server_side_encryption_configuration.map(|found| found.rules).unwrap_or_default();
        let mut defaults =
            rules.into_iter().filter_map(|rule| rule.apply_server_side_encryption_by_default);
        let other =
            defaults.find(|default| *default.sse_algorithm() != ServerSideEncryption::Aes256);
        match other.map(|default| default.kms_master_key_id.unwrap_or_else(|| "aws/s3".to_owned()))
        {
            Some(key) if is(&key, self.eyes.world.config.evidence.kms_key.as_deref()) => {
                Finding::fail(
                    "bucket encryption",
                    "with the evidence key",
                    "compliance cannot even fetch a tape to verify it",
                    "use SSE-S3 (AES256): tapes are sealed already",
                )
            }
            Some(key) => Finding::ok("bucket encryption", format!("with {key}")),
            None => Finding::ok("bucket encryption", "by S3"),
        }
    }

    fn policy(&self, findings: &mut Vec<Finding>) {
        let call = self.bucket.s3.get_bucket_policy().bucket(&self.bucket.name);
        let text = match self.eyes.see("s3:GetBucketPolicy", call.send()) {
            Ok(seen) => seen.policy.unwrap_or_default(),
            Err(e) if e.code.as_deref() == Some("NoSuchBucketPolicy") => NOTHING.to_owned(),
            Err(e) => {
                findings.push(Finding::unseen("bucket policy", &e));
                return;
            }
        };
        let document = match Document::parse(&text) {
            Ok(document) => document,
            Err(e) => {
                findings.push(Finding::fail(
                    "bucket policy",
                    e.to_string(),
                    "nobody knows what it denies",
                    POLICY_FIX,
                ));
                return;
            }
        };
        let object = format!("arn:aws:s3:::{}/sessions/1", self.bucket.name);
        findings.push(self.tls(&document, &object));
        findings.push(kept(&document, &object));
        findings.push(written_once(&document, &object));
    }

    fn tls(&self, document: &Document, object: &str) -> Finding {
        let mut denies = document.denying("s3:GetObject", object);
        let why = "who listens sees who opened what, and when";
        if denies.any(|statement| statement.needs_only("Bool", "aws:SecureTransport", "false")) {
            return Finding::ok("bucket tls", "demanded");
        }
        match &self.bucket.foreign {
            Some(url) if url.starts_with("https://") => {
                Finding::ok("bucket tls", format!("{url} is reached by TLS"))
            }
            Some(url) => Finding::warn(
                "bucket tls",
                format!("{url} is reached without it"),
                why,
                "use https://",
            ),
            None => Finding::fail("bucket tls", "not demanded", why, POLICY_FIX),
        }
    }
}

fn kept(document: &Document, object: &str) -> Finding {
    let allowed: Vec<&str> = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
        .into_iter()
        .filter(|action| !document.denies(action, object))
        .collect();
    if allowed.is_empty() {
        return Finding::ok("bucket deletes", "denied to everybody");
    }
    let why = "Object Lock keeps versions, and not a delete marker from hiding them";
    Finding::fail(
        "bucket deletes",
        format!("{} is not denied", allowed.join(" and ")),
        why,
        POLICY_FIX,
    )
}

fn written_once(document: &Document, object: &str) -> Finding {
    let demanded = document.denying("s3:PutObject", object).any(|statement| {
        let unconditional =
            statement.demands("Null", "s3:if-none-match").is_some_and(|values| values == ["true"]);
        let but_parts = statement
            .demands("Bool", "s3:ObjectCreationOperation")
            .is_none_or(|values| values == ["true"]);
        unconditional && but_parts
    });
    if demanded {
        return Finding::ok("bucket overwrites", "denied to everybody");
    }
    let why = "a second version of an object hides the first from whoever does not list versions";
    Finding::warn("bucket overwrites", "a put without If-None-Match is not denied", why, POLICY_FIX)
}

fn directory(eyes: &Eyes<'_>) -> Finding {
    let store = eyes.world.config.evidence.store.as_deref();
    if eyes.world.is_practice() {
        return Finding::ok("evidence", "the practice world's directory");
    }
    let why = "who has this host has the evidence: it can be deleted, if not changed unseen";
    let fix = "evidence.store = \"s3://…\", with Object Lock";
    Finding::warn("evidence", format!("the directory {}", store.unwrap_or_default()), why, fix)
}

fn is(key: &str, configured: Option<&str>) -> bool {
    configured.is_some_and(|configured| key.ends_with(configured) || configured.ends_with(key))
}

const NOTHING: &str = r#"{"Statement": []}"#;
const LOCK_FIX: &str =
    "Object Lock with a default retention, or evidence.object_lock and object_lock_days";
const PUBLIC_FIX: &str = "aws s3api put-public-access-block, all four";
const POLICY_FIX: &str = "use deploy/policies/evidence-bucket.json";
