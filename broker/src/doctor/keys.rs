//! The keys: that they work, and that who records cannot read, and who reads cannot sign.

use std::os::unix::fs::PermissionsExt as _;

use aws_sdk_kms::types::{GrantOperation, KeyMetadata, KeySpec, KeyUsageType};
use bg_aws::fault::CallError;

use super::eyes::{Eyes, empty};
use super::finding::Finding;
use super::key_files;
use super::policy::{Document, same_principal};

/// Checks the keys of the evidence.
pub fn check(eyes: &Eyes<'_>, findings: &mut Vec<Finding>) {
    let evidence = &eyes.world.config.evidence;
    match (&evidence.kms_key, &evidence.signing_key) {
        (Some(data), Some(sign)) => in_kms(eyes, data, sign, findings),
        _ => findings.push(in_files(eyes)),
    }
    key_files::check(eyes.world, findings);
}

fn in_kms(eyes: &Eyes<'_>, data: &str, sign: &str, findings: &mut Vec<Finding>) {
    let mut seal = Sight { eyes, check: "key data", policy: None, arn: None };
    seal.look(data, KeyUsageType::EncryptDecrypt, &KeySpec::SymmetricDefault, findings);
    seal.rotation(findings);
    let mut seals = Sight { eyes, check: "key signing", policy: None, arn: None };
    seals.look(sign, KeyUsageType::SignVerify, &KeySpec::EccNistP256, findings);
    let recorder = eyes.caller(None);
    match &recorder {
        Ok(recorder) => seal.recorder_opens_nothing(recorder, findings),
        Err(e) => findings.push(Finding::unseen("key data recorder", e)),
    }
    if let (Some(data), Some(sign)) = (&seal.policy, &seals.policy) {
        findings.push(separated(data, sign, recorder.ok().as_deref()));
    }
}

/// One key as it was seen.
struct Sight<'e> {
    eyes: &'e Eyes<'e>,
    check: &'static str,
    policy: Option<Document>,
    arn: Option<String>,
}

impl Sight<'_> {
    fn look(
        &mut self,
        key: &str,
        usage: KeyUsageType,
        spec: &KeySpec,
        findings: &mut Vec<Finding>,
    ) {
        let described =
            self.eyes.see("kms:DescribeKey", self.eyes.kms.describe_key().key_id(key).send());
        let described =
            described.and_then(|seen| seen.key_metadata.ok_or_else(|| empty("kms:DescribeKey")));
        match described {
            Ok(seen) => {
                self.arn.clone_from(&seen.arn);
                findings.push(usable(self.check, &seen, &usage, spec));
            }
            Err(e) => {
                findings.push(Finding::unseen(self.check, &e));
                return;
            }
        }
        match self.read_policy() {
            Ok(policy) => self.policy = Some(policy),
            Err(finding) => findings.push(*finding),
        }
    }

    fn read_policy(&self) -> Result<Document, Box<Finding>> {
        let check = format!("{} policy", self.check);
        let call =
            self.eyes.kms.get_key_policy().set_key_id(self.arn.clone()).policy_name("default");
        let seen = self.eyes.see("kms:GetKeyPolicy", call.send());
        let text = seen.and_then(|seen| seen.policy.ok_or_else(|| empty("kms:GetKeyPolicy")));
        let text = text.map_err(|e| Finding::unseen(check.clone(), &e))?;
        let why = "nobody knows who may use the key";
        Ok(Document::parse(&text).map_err(|e| Finding::fail(check, e.to_string(), why, FIX))?)
    }

    fn rotation(&self, findings: &mut Vec<Finding>) {
        let Some(arn) = &self.arn else { return };
        let check = format!("{} rotation", self.check);
        let call = self.eyes.kms.get_key_rotation_status().key_id(arn);
        findings.push(match self.eyes.see("kms:GetKeyRotationStatus", call.send()) {
            Ok(seen) if seen.key_rotation_enabled => Finding::ok(check, "on"),
            Ok(_) => {
                let why = "a key that leaked once opens every tape there will ever be";
                Finding::warn(check, "off", why, "aws kms enable-key-rotation")
            }
            Err(e) => Finding::unseen(check, &e),
        });
    }

    fn recorder_opens_nothing(&self, recorder: &str, findings: &mut Vec<Finding>) {
        let (Some(policy), Some(arn)) = (&self.policy, &self.arn) else { return };
        let check = format!("{} recorder", self.check);
        let grants = self.grants(arn);
        if let Err(e) = &grants {
            findings.push(Finding::unseen(format!("{} grants", self.check), e));
        }
        let opens: Vec<&str> = policy.givers(DECRYPT).collect();
        let granted = grants.unwrap_or_default();
        let opens: Vec<&str> =
            opens.into_iter().chain(granted.iter().map(String::as_str)).collect();
        let saw = if opens.is_empty() {
            "nobody opens tapes".to_owned()
        } else {
            format!("{} may open tapes", opens.join(", "))
        };
        let why = "whoever takes the recording host over reads every tape there is";
        findings.push(if opens.iter().any(|who| *who == "*" || same_principal(who, recorder)) {
            Finding::fail(check, saw, why, FIX)
        } else if opens.iter().any(|who| who.ends_with(":root") || !who.contains(':')) {
            let why =
                "the account as a whole may: then every IAM policy with kms:Decrypt opens tapes";
            Finding::warn(check, saw, why, FIX)
        } else if opens.is_empty() {
            Finding::warn(check, saw, "tapes that nobody can open show nothing", FIX)
        } else {
            Finding::ok(check, format!("{saw}; the recorder may not"))
        });
    }

    fn grants(&self, arn: &str) -> Result<Vec<String>, CallError> {
        let seen =
            self.eyes.see("kms:ListGrants", self.eyes.kms.list_grants().key_id(arn).send())?;
        let opens = |operation: &GrantOperation| {
            matches!(
                operation,
                GrantOperation::Decrypt
                    | GrantOperation::ReEncryptFrom
                    | GrantOperation::CreateGrant
            )
        };
        let grants = seen.grants.unwrap_or_default().into_iter();
        let grants = grants.filter(|grant| grant.operations().iter().any(opens));
        Ok(grants.filter_map(|grant| grant.grantee_principal).collect())
    }
}

fn usable(check: &str, seen: &KeyMetadata, usage: &KeyUsageType, spec: &KeySpec) -> Finding {
    let state = seen.key_state().map_or("of unknown state", |state| state.as_str());
    let kind = seen.key_spec().map_or("of unknown kind", |spec| spec.as_str());
    let saw = format!("{kind}, {}", state.to_lowercase());
    if !seen.enabled() {
        let why = "no session begins, and none can be closed properly";
        return Finding::fail(check, saw, why, "aws kms enable-key, or cancel-key-deletion first");
    }
    if seen.key_usage() != Some(usage) || seen.key_spec() != Some(spec) {
        let why = format!("a {} key for {} is needed", spec.as_str(), usage.as_str());
        return Finding::fail(check, saw, why, "make another one: deploy/bg-shell.yaml");
    }
    Finding::ok(check, saw)
}

/// Who opens tapes must not be who signs them; whether that is the recorder was looked at already.
fn separated(data: &Document, sign: &Document, recorder: Option<&str>) -> Finding {
    let (opens, signs): (Vec<&str>, Vec<&str>) =
        (data.givers(DECRYPT).collect(), sign.givers("kms:Sign").collect());
    let others =
        opens.iter().filter(|who| recorder.is_none_or(|recorder| !same_principal(who, recorder)));
    let both = others.clone().find(|who| signs.iter().any(|signer| same_principal(who, signer)));
    let why = "who can open a tape and sign another one can replace it";
    match both {
        Some(who) => {
            Finding::fail("key separation", format!("{who} may decrypt and sign"), why, FIX)
        }
        None if signs.is_empty() => Finding::warn(
            "key separation",
            "no key policy lets anybody sign",
            "no session begins",
            FIX,
        ),
        None => Finding::ok(
            "key separation",
            format!("{} may sign, and open nothing", signs.join(", ")),
        ),
    }
}

fn in_files(eyes: &Eyes<'_>) -> Finding {
    let keys = eyes.world.evidence().state().join("keys");
    let open = keys.join("open.pem");
    let loose = |name: &str| {
        let meta = std::fs::metadata(keys.join(name));
        meta.is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
    };
    if loose("sign.pem") || loose("open.pem") {
        let why = "others on this host sign, or read, tapes";
        return Finding::fail(
            "keys",
            format!("others read the key files in {}", keys.display()),
            why,
            "chmod 600",
        );
    }
    if open.exists() && !eyes.world.is_practice() {
        let why = "whoever takes this host over reads every tape there is";
        let fix = "move it to the auditor; or use KMS: evidence.kms_key";
        return Finding::warn(
            "keys",
            format!("{} is on the recording host", open.display()),
            why,
            fix,
        );
    }
    Finding::ok("keys", format!("key files in {}", keys.display()))
}

const DECRYPT: &str = "kms:Decrypt";
const FIX: &str = "use deploy/policies/data-key.json and signing-key.json";
