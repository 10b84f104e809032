//! The permissions boundary: what the role may never do, whatever is attached to it.

use super::eyes::{Eyes, SeenRole, empty};
use super::finding::Finding;
use super::policy::{Document, NotAPolicy};
use bg_aws::fault::CallError;

/// Checks a role's boundary.
pub fn check(name: &str, eyes: &Eyes<'_>, seen: &SeenRole, findings: &mut Vec<Finding>) {
    let check = format!("boundary {name}");
    let Ok(role) = &seen.role else { return };
    let boundary =
        role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
    let Some(arn) = boundary else {
        let why = "with a wide policy the role can give itself more, reach the evidence, and stop CloudTrail";
        findings.push(Finding::fail(check, "none", why, FIX));
        return;
    };
    findings.push(match document(eyes, arn) {
        Err(e) => Finding::unseen(check, &e),
        Ok(Err(e)) => {
            Finding::fail(check, format!("{arn}: {e}"), "nobody knows what it denies", FIX)
        }
        Ok(Ok(document)) => judged(check, arn, &document, eyes),
    });
}

fn judged(check: String, arn: &str, document: &Document, eyes: &Eyes<'_>) -> Finding {
    let missing: Vec<String> =
        forbidden(eyes)
            .into_iter()
            .filter(|(action, resource)| !document.denies(action, resource))
            .map(|(action, resource)| {
                if resource == "*" { action.to_owned() } else { format!("{action} on {resource}") }
            })
            .collect();
    if missing.is_empty() {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        return Finding::ok(
            check,
            format!("{name} denies chaining, changes of who may what, and the evidence"),
        );
    }
    let why = "an implicit deny ends where a resource policy allows: it must be explicit";
    Finding::fail(check, format!("it does not deny {}", missing.join(", ")), why, FIX)
}

/// What a boundary must deny.
fn forbidden(eyes: &Eyes<'_>) -> Vec<(&'static str, String)> {
    let everywhere = FORBIDDEN.iter().map(|action| (*action, "*".to_owned()));
    let evidence = &eyes.world.config.evidence;
    let keys = [("kms:Decrypt", &evidence.kms_key), ("kms:Sign", &evidence.signing_key)];
    // An alias is no resource of a policy: only the key's ARN can be compared.
    let keys = keys.into_iter().filter_map(|(action, key)| Some((action, key.clone()?)));
    let keys = keys.filter(|(_, key)| key.contains(":key/"));
    let bucket = eyes.bucket.iter().filter(|bucket| bucket.foreign.is_none());
    let bucket = bucket.flat_map(|bucket| {
        let objects = format!("arn:aws:s3:::{}/sessions/1", bucket.name);
        ["s3:PutObject", "s3:DeleteObjectVersion"].map(|action| (action, objects.clone()))
    });
    everywhere.chain(keys).chain(bucket).collect()
}

fn document(eyes: &Eyes<'_>, arn: &str) -> Result<Result<Document, NotAPolicy>, CallError> {
    let seen = eyes.see("iam:GetPolicy", eyes.iam.get_policy().policy_arn(arn).send())?;
    let version = seen
        .policy
        .and_then(|policy| policy.default_version_id)
        .ok_or_else(|| empty("iam:GetPolicy"))?;
    let call = eyes.iam.get_policy_version().policy_arn(arn).version_id(version);
    let seen = eyes.see("iam:GetPolicyVersion", call.send())?;
    let text = seen.policy_version.and_then(|version| version.document);
    text.map(|text| Document::parse(&text)).ok_or_else(|| empty("iam:GetPolicyVersion"))
}

const FORBIDDEN: [&str; 9] = [
    "sts:AssumeRole",
    "iam:PassRole",
    "iam:CreateAccessKey",
    "iam:PutRolePolicy",
    "iam:DeleteRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "cloudtrail:StopLogging",
    "organizations:LeaveOrganization",
];
const FIX: &str =
    "give the role deploy/policies/emergency-boundary.json as its permissions boundary";
