//! The incident report of a session, from facts and the tape and from nothing else.

mod advice;
mod build;
mod compared;
mod facts;
pub mod find;
mod markdown;
mod model;
mod page;
mod rotate;
mod sources;
mod stored;
mod taped;
mod timeline;
mod to_do;

use bg_recorder::facts::case::Case;
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::session::SessionId;
use bg_relay::tap::{Seen, Taped};
use serde_json::Value;

use self::facts::Recording;
use self::model::Known;
pub use self::model::Report;
pub use self::rotate::rotate;
use self::stored::Stored;
pub use self::taped::taped;
use crate::facts::claim::Claim;
use crate::failure::Failure;
use crate::news::News;
use crate::notify::{Message, Occasion};
use crate::os::user::author;
use crate::world::World;

/// Writes the report of a session that has just ended, and what was heard of it as a fact. What cannot be done is
/// told, and ends nothing: the access is closed, and the tape is sealed.
pub fn after(world: &World, claim: &Claim, seen: &Seen) {
    if let Err(failure) =
        hear(world, claim.session, seen).and_then(|()| write(world, claim.session, None))
    {
        world.hear(&News::NotReported { session: claim.session, why: &failure });
    }
}

/// Tells how an access ended that was closed by a later run, and writes its report: if there is none yet, or if the
/// last one says that it is not closed and now it is.
pub fn late(world: &World, session: SessionId, occasion: Occasion, revocation: &Revocation) {
    let written = stored::newest(world, session).and_then(|stored| match stored {
        Some(stored)
            if !stored.is_pending() || matches!(revocation, Revocation::Pending { .. }) =>
        {
            Ok(())
        }
        _ => {
            let report = build::report(world, session, None)?;
            let message = named(Message::new(occasion), &report);
            world.notifier().tell(message.detail(&revocation.as_of(world.clock.now())));
            store(world, &report).map(drop)
        }
    });
    if let Err(failure) = written {
        world.hear(&News::NotReported { session, why: &failure });
    }
}

/// Keeps what was heard.
fn hear(world: &World, session: SessionId, seen: &Seen) -> Result<(), Failure> {
    let says =
        serde_json::to_value(seen).map_err(|e| Failure::new("cannot write JSON").because(e))?;
    let keys = world.keys()?;
    let case = Case::new(session, world.store());
    let noted = case.note(&*keys, &author(), sources::SEEN, says);
    noted.map_err(|e| Failure::new("cannot keep what was typed and shown").because(e))
}

/// Makes a report from the facts.
///
/// # Errors
/// When the evidence cannot be read.
pub fn of(world: &World, session: SessionId) -> Result<Report, Failure> {
    build::report(world, session, None)
}

/// Returns a report as JSON and as Markdown: the stored one, one that is made anew and stored, or, where none is, one that
/// is made from the facts. What somebody had read from the tape is in no stored one.
///
/// # Errors
/// When the evidence cannot be read or written.
pub fn shown(
    world: &World,
    session: SessionId,
    anew: bool,
    taped: Option<Taped>,
) -> Result<(String, String), Failure> {
    if taped.is_some() && !anew {
        return made(world, session, taped);
    }
    let stored = match anew {
        true => Some(write(world, session, taped)?),
        false => stored::newest(world, session)?,
    };
    if let Some(stored) = stored.as_ref().filter(|_| !anew) {
        as_of(world, session, stored)?;
    }
    match stored {
        Some(Stored { json, markdown, .. }) => Ok((json, markdown)),
        None => made(world, session, None),
    }
}

/// Reports when a stored report was made, and what it cannot know: that its tape is another one since.
fn as_of(world: &World, session: SessionId, stored: &Stored) -> Result<(), Failure> {
    let report: Value = serde_json::from_str(&stored.json).unwrap_or_default();
    let of = |pointer: &str| report.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown");
    world.hear(&News::ReportStored { name: &stored.name, made: of("/made") });
    let unreadable = |e| Failure::new("cannot read the tape").because(e).hint("see [evidence]");
    let keys = world.keys()?;
    let now = Recording::read(&world.store(), session, keys.ring()).map_err(unreadable)?;
    let now = now.verdict.verdict.to_string();
    let then = of("/tape/verdict");
    if now != then {
        world.hear(&News::TapeChanged { session, then, now: &now });
    }
    Ok(())
}

fn write(world: &World, session: SessionId, taped: Option<Taped>) -> Result<Stored, Failure> {
    store(world, &build::report(world, session, taped)?)
}

fn store(world: &World, report: &Report) -> Result<Stored, Failure> {
    let session = report.session;
    let stored = stored::write(world, &*world.keys()?, report)?;
    let at = stored::key(session, &stored.name, "md");
    let detail = format!("tape {}; {}; {at}", report.tape.verdict, report.revocation.text);
    world.notifier().tell(
        named(Message::new(Occasion::Report), report).detail(&detail).report(&stored.markdown),
    );
    let to_do: Vec<String> = report.to_do.iter().map(ToString::to_string).collect();
    world.hear(&News::Reported { session, at: &at, to_do: &to_do });
    Ok(stored)
}

/// Names in a message whom and what a report is about.
fn named(message: Message, report: &Report) -> Message {
    let with =
        |message: Message, known: &Option<Known>, name: fn(Message, &str) -> Message| match known {
            Some(known) => name(message, &known.value),
            None => message,
        };
    let message = message.session(report.session);
    let message = with(message, &report.access.request, Message::request);
    let message = with(message, &report.access.role, Message::role);
    let message = with(message, &report.who.person, Message::person);
    with(message, &report.why.incident, Message::incident)
}

fn made(
    world: &World,
    session: SessionId,
    taped: Option<Taped>,
) -> Result<(String, String), Failure> {
    let report = build::report(world, session, taped)?;
    world.hear(&News::ReportMade);
    let json = serde_json::to_string_pretty(&report);
    let json = json.map_err(|e| Failure::new("cannot write JSON").because(e))? + "\n";
    Ok((stored::neutral_lines(&json), markdown::markdown(&report)))
}
