//! `bg-shell report --rotate`: deactivates access keys that could be seen, each after a yes.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::StatusType;
use bg_aws::edge::Edge;
use bg_aws::fault::CallError;
use bg_recorder::facts::case::Case;
use bg_recorder::keys::KeyService;
use bg_relay::tap::SecretKind;
use serde_json::{Value, json};

use super::model::Report;
use crate::failure::Failure;
use crate::news::News;
use crate::os::user::author;
use crate::world::World;

/// Asks whether to go on, for each key.
pub type Consent<'c> = &'c dyn Fn(&str) -> Result<bool, Failure>;

/// Deactivates each exposed access key that a person agrees to. Returns whether none is left.
///
/// # Errors
/// When AWS cannot be called at all, or the intent not be written down.
pub fn rotate(world: &World, report: &Report, consent: Consent<'_>) -> Result<bool, Failure> {
    let exposed = report.exposures.found.iter().filter(|exposed| exposed.deactivated.is_none());
    let ids = exposed.filter(|exposed| exposed.exposure.kind == SecretKind::AwsAccessKeyId);
    let ids: Vec<&str> = ids.map(|exposed| exposed.exposure.shown.as_str()).collect();
    if ids.is_empty() {
        world.hear(&News::NoKeyLeft);
        return Ok(true);
    }
    let role = report.access.role.as_ref().and_then(|name| world.config.roles.get(&name.value));
    let edge = world.edge(role.and_then(|role| role.profiles.revoker.as_deref()))?;
    let rotation = Rotation {
        world,
        client: client(&edge),
        edge,
        keys: world.keys()?,
        case: Case::new(report.session, world.store()),
    };
    let mut left = false;
    for id in ids {
        left |= !rotation.key(id, consent)?;
    }
    Ok(!left)
}

struct Rotation<'w> {
    world: &'w World,
    edge: Edge,
    client: Client,
    keys: Box<dyn KeyService>,
    case: Case,
}

impl Rotation<'_> {
    /// Deactivates one key; returns whether it is done.
    fn key(&self, id: &str, consent: Consent<'_>) -> Result<bool, Failure> {
        let Some(user) = self.owner(id)? else {
            self.world.hear(&News::ForeignKey { id });
            return Ok(false);
        };
        let status = self.status(&user, id)?;
        self.world.hear(&News::KeyOf { id, user: &user, status: &status });
        if !consent(&format!("deactivate {id} of {user}?"))? {
            self.world.hear(&News::KeyLeft { id });
            return Ok(false);
        }
        self.note(
            &format!("{FACTS}{id}/intent"),
            json!({"what": format!("{id} of {user} is about to be deactivated"), "user": user}),
        )?;
        let call = self
            .client
            .update_access_key()
            .user_name(&user)
            .access_key_id(id)
            .status(StatusType::Inactive);
        let done = self
            .edge
            .wait(call.send())
            .map_err(|e| failed(CallError::new("iam:UpdateAccessKey", &e), id));
        done?;
        let request_id =
            self.edge.journal().last("IAM:UpdateAccessKey").and_then(|call| call.request_id);
        let what = format!("{id} of {user} was deactivated");
        self.note(&done_name(id), json!({"what": what, "user": user, "request_id": request_id}))?;
        self.world.hear(&News::KeyInactive { id, user: &user });
        Ok(true)
    }

    fn owner(&self, id: &str) -> Result<Option<String>, Failure> {
        let call = self.client.get_access_key_last_used().access_key_id(id).send();
        match self.edge.wait(call) {
            Ok(used) => Ok(used.user_name().filter(|user| !user.is_empty()).map(ToOwned::to_owned)),
            Err(e) => {
                let error = CallError::new("iam:GetAccessKeyLastUsed", &e);
                if error.kind == bg_aws::fault::CallKind::Missing {
                    Ok(None)
                } else {
                    Err(failed(error, id))
                }
            }
        }
    }

    fn status(&self, user: &str, id: &str) -> Result<String, Failure> {
        let call = self.client.list_access_keys().user_name(user).send();
        let listed = self
            .edge
            .wait(call)
            .map_err(|e| failed(CallError::new("iam:ListAccessKeys", &e), id))?;
        let mut keys = listed.access_key_metadata().iter();
        let status = keys.find(|key| key.access_key_id() == Some(id)).and_then(|key| key.status());
        Ok(status.map_or_else(
            || "of unknown status".to_owned(),
            |status| status.as_str().to_lowercase(),
        ))
    }

    /// Writes a fact down. The intent of an earlier try counts.
    fn note(&self, name: &str, says: Value) -> Result<(), Failure> {
        let noted = self.case.note(&*self.keys, &author(), name, says);
        noted.map_err(|e| Failure::new(format!("cannot write the fact {name}")).because(e))
    }
}

fn failed(error: CallError, id: &str) -> Failure {
    let hint = error.hint();
    let failure = Failure::new(format!("cannot deactivate {id}")).because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn client(edge: &Edge) -> Client {
    Client::from_conf(
        aws_sdk_iam::config::Builder::from(edge.sdk())
            .interceptor(edge.journal())
            .retry_classifier(edge.renewed())
            .build(),
    )
}

/// Returns the name of the fact that a key was deactivated.
pub fn done_name(id: &str) -> String {
    format!("{FACTS}{id}/done")
}

/// Where facts about keys are.
pub const FACTS: &str = "rotate/";
