//! `bg-shell report`: the incident report of a session, from facts and the tape and from nothing else.

mod advice;
mod build;
mod facts;
mod find;
mod markdown;
mod model;
mod rotate;
mod stored;
mod timeline;

use std::io::Write as _;
use std::process::ExitCode;

use bg_recorder::neutral::Visible;
use bg_recorder::session::SessionId;
use clap::Args;
use serde_json::{Map, Value};

use self::model::Known;
use self::rotate::Consent;
use self::stored::Stored;
use crate::case::{Case, CaseError};
use crate::claim::Claim;
use crate::failure::Failure;
use crate::notify::{Message, Notifier, Occasion};
use crate::say::say;
use crate::tap::Seen;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The session: its id, the beginning of it, or `last`
    #[arg(value_name = "SESSION", default_value = "last")]
    pub session: String,
    /// JSON instead of Markdown
    #[arg(long)]
    pub json: bool,
    /// Make it anew from the facts, store it, and update the ticket
    #[arg(long)]
    pub write: bool,
    /// Deactivate access keys that appeared on the screen, each after a yes
    #[arg(long)]
    pub rotate: bool,
    /// With --rotate: ask nobody
    #[arg(long, requires = "rotate")]
    pub yes: bool,
}

/// Shows a stored report, or makes one from the facts.
///
/// # Errors
/// When there is no such session, or the evidence cannot be read.
pub fn report(args: &ReportArgs, world: &World) -> Result<ExitCode, Failure> {
    let session = find::find(&*world.store(), &args.session)?;
    if args.rotate {
        let consent = if args.yes { Consent::Given } else { Consent::Asked };
        let done = rotate::rotate(world, &build::report(world, session)?, consent)?;
        return Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let stored = if args.write {
        let notifier = Notifier::new(world);
        let stored = write(world, &notifier, session);
        notifier.finish();
        Some(stored?)
    } else {
        stored::newest(world, session)?
    };
    let (json, markdown) = match stored {
        Some(Stored { json, markdown, .. }) => (json, markdown),
        None => made(world, session)?,
    };
    print(if args.json { &json } else { &markdown })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the report of a session that has just ended, and what was heard of it as a fact. What cannot be done is
/// told, and ends nothing: the access is closed, and the tape is sealed.
pub fn after(world: &World, notifier: &Notifier, claim: &Claim, seen: &Seen) {
    if let Err(failure) =
        hear(world, claim.session, seen).and_then(|()| write(world, notifier, claim.session))
    {
        say!("bg-shell: warning: {failure}");
        say!("bg-shell: hint: bg-shell report {} --write writes it later", claim.session);
    }
}

/// Writes the report of a session whose recorder or close-out did not get that far: if there is none yet, or if
/// the last one says that the access is not closed.
pub fn late(world: &World, notifier: &Notifier, session: SessionId) {
    let written = stored::newest(world, session).and_then(|stored| match stored {
        Some(stored) if !stored.is_pending() => Ok(()),
        _ => write(world, notifier, session).map(drop),
    });
    if let Err(failure) = written {
        say!("bg-shell: warning: {failure}");
    }
}

/// Keeps what was heard.
fn hear(world: &World, session: SessionId, seen: &Seen) -> Result<(), Failure> {
    let says = serde_json::to_value(seen).map_err(|e| Failure::new("cannot write JSON").because(e))?;
    let says = if let Value::Object(says) = says { says } else { Map::new() };
    match Case::new(session, world.store()).put(&*world.keys()?, build::SEEN, says) {
        Ok(_) | Err(CaseError::Taken(_)) => Ok(()),
        Err(e) => Err(Failure::new("cannot keep what was typed and shown").because(e)),
    }
}

fn write(world: &World, notifier: &Notifier, session: SessionId) -> Result<Stored, Failure> {
    let report = build::report(world, session)?;
    let stored = stored::write(world, &*world.keys()?, &report)?;
    let mut message = Message::new(Occasion::Report).session(session).report(&stored.markdown);
    let at = stored::key(session, &stored.name, "md");
    message = message.detail(&format!("tape {}; {}; {at}", report.tape.verdict, report.revocation.text));
    let named: [(&Option<Known>, fn(Message, &str) -> Message); 4] = [
        (&report.access.request, Message::request),
        (&report.access.role, Message::role),
        (&report.who.person, Message::person),
        (&report.why.incident, Message::incident),
    ];
    for (value, with) in named {
        if let Some(value) = value {
            message = with(message, &value.value);
        }
    }
    notifier.tell(message);
    say!("bg-shell: report: bg-shell report {session} (stored as {at})");
    for to_do in &report.to_do {
        say!("bg-shell:   to do: {}", bg_recorder::neutral::neutral(to_do));
    }
    Ok(stored)
}

fn made(world: &World, session: SessionId) -> Result<(String, String), Failure> {
    let report = build::report(world, session)?;
    say!("bg-shell: no report is stored; this one is made from the facts (--write stores it)");
    let json = serde_json::to_string_pretty(&report);
    let json = json.map_err(|e| Failure::new("cannot write JSON").because(e))? + "\n";
    Ok((stored::neutral_lines(&json), markdown::markdown(&report)))
}

fn print(text: &str) -> Result<(), Failure> {
    let shown = Visible::default().chunk(text);
    let written = std::io::stdout().write_all(shown.as_bytes());
    written.map_err(|e| Failure::new("cannot write to standard output").because(e))
}
