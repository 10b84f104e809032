//! What a report is made of: the facts, the tape, and what the recorder heard.

use bg_recorder::base64;
use bg_recorder::session::SessionId;
use bg_relay::tap::{Seen, Taped};
use serde_json::Value;

use super::compared::Compared;
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
    /// Who signed for it, beside what is configured here.
    pub compared: Compared,
    /// What the recorder heard, or is heard again from the tape.
    pub seen: Option<Seen>,
    /// What the tape says of itself, where it was opened.
    pub taped: Option<Taped>,
}

impl Sources {
    /// Reads all of it.
    ///
    /// # Errors
    /// When the store or the keys cannot be used, or there is no such session.
    pub fn read(world: &World, session: SessionId, taped: Option<Taped>) -> Result<Self, Failure> {
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
        let compared = Compared::of(world, &tape, request.as_ref());
        let heard = || facts.says(SEEN);
        let seen = taped.as_ref().map_or_else(heard, |taped| Some(taped.seen.clone()));
        Ok(Self { facts, tape, request, compared, seen, taped })
    }

    /// Returns what says what was typed and shown.
    pub fn heard_by(&self) -> String {
        if self.taped.is_some() { TAPE.to_owned() } else { format!("fact {SEEN}") }
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

/// What says what is known of a tape because somebody opened it.
pub const TAPE: &str = "tape frames";
/// The fact with what the recorder heard.
pub const SEEN: &str = "seen";
