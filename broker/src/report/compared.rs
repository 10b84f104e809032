//! Who signed for an access, and under which terms, beside what is configured here: a tape brings its own
//! allowed_signers, and verification judges it by those.

use bg_recorder::approval::quorum::Signatory;
use bg_recorder::base64;
use serde_json::Value;

use super::facts::{Recording, text};
use super::model::Signer;
use crate::config::RoleConfig;
use crate::request::{signer, terms};
use crate::world::World;

/// What a comparison came to; nothing where there is nothing to compare with.
#[derive(Debug, Default)]
pub struct Compared {
    /// Everybody who signed.
    pub signers: Vec<Signer>,
    /// Whether the allowed_signers are the same text.
    pub same_signers: Option<bool>,
    /// Whether the terms are the same.
    pub same_terms: Option<bool>,
}

impl Compared {
    /// Compares a tape, and the request on it, with the configuration.
    pub fn of(world: &World, tape: &Recording, request: Option<&Value>) -> Self {
        let role = tape.about("role").and_then(Value::as_str);
        let role = role.and_then(|name| world.config.roles.get(name));
        let known = role.and_then(|role| signer::signers(role).ok());
        let signer = |one: &Signatory| Signer {
            signed: one.signed,
            person: one.name.as_str().to_owned(),
            key: one.key.clone(),
            known: known.as_ref().map(|(_, signers)| signers.lists(one.name.as_str(), &one.public)),
        };
        let taped = tape.about("access").and_then(|access| access.get("allowed_signers"));
        let taped = taped.and_then(|taped| base64::decode(taped.as_str()?));
        Self {
            signers: tape.verdict.people.iter().map(signer).collect(),
            same_signers: known.as_ref().zip(taped).map(|((text, _), taped)| *text == taped),
            same_terms: role.zip(request).and_then(|(role, request)| same(world, role, request)),
        }
    }
}

/// Returns whether a request was made under a role's terms as they are here.
fn same(world: &World, role: &RoleConfig, request: &Value) -> Option<bool> {
    let scope = terms::scope(role).ok()?;
    let digest = terms::digest(role, scope.as_deref(), &world.store_identity()).to_string();
    let of = |member: &str| request.get(member).and_then(text);
    Some(
        of("policy_sha256")? == digest
            && of("role_arn")? == role.arn
            && request.get("quorum")?.as_u64()? == u64::from(role.quorum),
    )
}
