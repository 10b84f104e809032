//! What a report is made of: the facts, the tape, and what the recorder heard.

use bg_recorder::base64;
use bg_recorder::session::SessionId;
use bg_relay::tap::Seen;
use serde_json::Value;

use super::facts::{Facts, Recording, text};
use super::model::Approval;
use crate::failure::Failure;
use crate::world::World;

/// What a report is made of.
pub struct Sources {
    /// The facts.
    pub facts: Facts,
    /// The tape.
    pub tape: Recording,
    /// The request of `about.access`.
    pub request: Option<Value>,
    /// What the recorder heard.
    pub seen: Option<Seen>,
}

impl Sources {
    /// Reads all of it.
    ///
    /// # Errors
    /// When the store or the keys cannot be used, or there is no such session.
    pub fn read(world: &World, session: SessionId) -> Result<Self, Failure> {
        let store = world.store();
        let keys = world.keys()?;
        let unreadable =
            |e| Failure::new("cannot read the evidence").because(e).hint("see [evidence]");
        let facts = Facts::read(&*store, session, keys.ring()).map_err(unreadable)?;
        let tape = Recording::read(&store, session, keys.ring()).map_err(unreadable)?;
        if facts.names.is_empty() && tape.verdict.frames == 0 && tape.genesis.is_none() {
            return Err(Failure::new(format!("there is no session {session}"))
                .hint("bg-replay ls lists them"));
        }
        let access = tape.about("access");
        let request = access.and_then(|access| decoded(access.get("request")?));
        let seen = facts.says(SEEN);
        Ok(Self { facts, tape, request, seen })
    }
}

/// Reads what an approval says.
pub fn approval(signed: &Value) -> Option<Approval> {
    let statement = decoded(signed.get("statement")?)?;
    let of = |member: &str| text(statement.get(member)?);
    Some(Approval { person: of("approver")?, made: of("made"), expires: of("expires") })
}

/// Reads base64 of a line of JSON.
fn decoded(value: &Value) -> Option<Value> {
    serde_json::from_slice(&base64::decode(value.as_str()?)?).ok()
}

/// The fact with what the recorder heard.
pub const SEEN: &str = "seen";
