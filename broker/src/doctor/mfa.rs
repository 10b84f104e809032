//! The second factor: that who checks it can, and that nobody gets past.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::geteuid;

use super::eyes::SeenRole;
use super::finding::Finding;
use super::policy::{Document, Statement};
use super::signers;
use super::trust::ASSUME;
use crate::config::{Mfa, RoleConfig};

/// Checks a role's second factor.
pub fn check(name: &str, role: &RoleConfig, seen: &SeenRole, findings: &mut Vec<Finding>) {
    let check = format!("mfa {name}");
    match (&role.mfa, &seen.trust, &seen.role) {
        (Mfa::None, ..) if role.quorum == 0 => {
            findings.push(Finding::ok(check, "none: a role without approvals, as a drill's"));
        }
        (Mfa::None, ..) => {
            let why = "whoever has a responder's SSH key is the responder";
            findings.push(Finding::warn(
                check,
                "none",
                why,
                "set mfa.mode to \"user\" or \"broker\"",
            ));
        }
        (Mfa::User { .. }, _, Err(e)) => findings.push(Finding::unseen(check, e)),
        (Mfa::User { .. }, Ok(trust), _) => findings.push(by_aws(check, trust, role)),
        (Mfa::User { .. }, Err(e), _) => {
            findings.push(Finding::fail(check, e.to_string(), BY_AWS_WHY, BY_AWS_FIX))
        }
        (Mfa::Broker { secrets }, trust, _) => {
            findings.push(by_broker(check.clone(), secrets, role));
            if trust.as_ref().is_ok_and(|trust| trust.allowing(ASSUME).all(demands_mfa)) {
                let why =
                    "the trust policy demands it of AWS, which a role's credentials never satisfy";
                findings.push(Finding::warn(
                    check,
                    "checked twice",
                    why,
                    "set mfa.mode to \"user\", or lift it",
                ));
            }
        }
    }
}

fn by_aws(check: String, trust: &Document, role: &RoleConfig) -> Finding {
    let mut open = trust.allowing(ASSUME);
    if !open.all(demands_mfa) {
        return Finding::fail(check, "the trust policy does not demand it", BY_AWS_WHY, BY_AWS_FIX);
    }
    let ages = trust.allowing(ASSUME).map(|statement| age(statement).unwrap_or(u64::MAX));
    let age = ages.max().unwrap_or(u64::MAX);
    let window = role.max_duration.as_secs();
    let why = "credentials are refreshed every 15 minutes, and AWS refuses that once the factor is too old";
    match age {
        u64::MAX => Finding::warn(
            check,
            "demanded by AWS, however old",
            "a session can be refreshed without end, if bg-shell's own deadline fails",
            "add aws:MultiFactorAuthAge, as in deploy/policies/emergency-trust.json",
        ),
        ..=899 => Finding::warn(
            check,
            format!("demanded by AWS, {age} s old at the most"),
            why,
            "900 s or more",
        ),
        _ if age < window => Finding::warn(
            check,
            format!("demanded by AWS, {age} s old at the most; sessions may last {window} s"),
            why,
            "raise aws:MultiFactorAuthAge, or shorten max_duration",
        ),
        _ => Finding::ok(check, format!("demanded by AWS, {age} s old at the most")),
    }
}

fn demands_mfa(statement: &Statement) -> bool {
    statement.demands("Bool", "aws:MultiFactorAuthPresent").is_some_and(|values| values == ["true"])
}

fn age(statement: &Statement) -> Option<u64> {
    let demanded = statement.demands("NumericLessThan", "aws:MultiFactorAuthAge");
    let demanded =
        demanded.or_else(|| statement.demands("NumericLessThanEquals", "aws:MultiFactorAuthAge"));
    demanded?.first()?.parse().ok()
}

fn by_broker(check: String, secrets: &Path, role: &RoleConfig) -> Finding {
    let people = signers::people(&role.allowed_signers).unwrap_or_default();
    let lacking: Vec<&str> =
        people.iter().map(String::as_str).filter(|person| !secrets.join(person).exists()).collect();
    if fs::metadata(secrets).is_err() {
        let saw = format!("{} is missing", secrets.display());
        return Finding::fail(check, saw, "nobody can open the role", BY_BROKER_FIX);
    }
    if let Some(open) =
        people.iter().map(|person| secrets.join(person)).find(|path| others_read(path))
    {
        let why = "who reads a secret makes its codes";
        return Finding::fail(
            check,
            format!("others read {}", open.display()),
            why,
            "chmod 600, and change it",
        );
    }
    let readable: Vec<&str> = people
        .iter()
        .map(String::as_str)
        .filter(|person| File::open(secrets.join(person)).is_ok())
        .collect();
    if lacking.is_empty() && !readable.is_empty() {
        let uid = geteuid().as_raw();
        let saw =
            format!("uid {uid}, who runs this, reads the TOTP secrets of {}", readable.join(", "));
        return Finding::warn(check, saw, READABLE_WHY, READABLE_FIX);
    }
    if lacking.is_empty() {
        return Finding::ok(
            check,
            format!(
                "checked by the broker, for {}",
                people.into_iter().collect::<Vec<_>>().join(", ")
            ),
        );
    }
    let why = "they cannot open the role; approving needs no code";
    Finding::warn(check, format!("no secret for {}", lacking.join(", ")), why, BY_BROKER_FIX)
}

fn others_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

const BY_AWS_WHY: &str =
    "whoever has the access key opens the role, without the responder's device";
const BY_AWS_FIX: &str =
    "demand aws:MultiFactorAuthPresent in the trust policy: deploy/policies/emergency-trust.json";
const READABLE_WHY: &str =
    "a responder with this uid makes everybody's codes: the second factor is one in name only";
const READABLE_FIX: &str = "run bg-shell as a user of its own that no responder becomes otherwise, or let AWS check: mfa.mode = \"user\"";
const BY_BROKER_FIX: &str =
    "one file a person in mfa.secrets, named as in allowed_signers: the TOTP secret in base32";

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn secrets_that_whoever_runs_it_can_read_are_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let signers = dir.path().join("signers");
        let secrets = dir.path().join("totp");
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        fs::write(&signers, format!("alice {key}\n")).unwrap();
        fs::create_dir(&secrets).unwrap();
        fs::write(secrets.join("alice"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        fs::set_permissions(secrets.join("alice"), fs::Permissions::from_mode(0o600)).unwrap();
        let toml = format!(
            "arn = 'arn:aws:iam::123456789012:role/x'\nallowed_signers = {signers:?}\nmfa = {{ mode = 'none' }}"
        );
        let role: RoleConfig = toml::from_str(&toml).unwrap();
        let finding = by_broker("mfa x".into(), &secrets, &role);
        assert_eq!(finding.verdict, Verdict::Warn);
        assert!(finding.saw.ends_with("reads the TOTP secrets of alice"), "{}", finding.saw);
    }
}
