//! What happened, in order, each with what says so.

use bg_recorder::facts::case::{
    ACTIVE, DENIED, EXTENSION, Fact, GATE, OPEN, PENDING, PROVED, RENEWED, REVOKE,
};
use bg_recorder::stamp::Stamp;
use serde_json::Value;

use super::facts::text;
use super::model::Moment;
use super::sources::{SEEN, Sources};

/// Lists what happened.
pub fn timeline(sources: &Sources) -> Vec<Moment> {
    let mut moments = requested(sources);
    let denied = sources.facts.get(DENIED);
    moments.extend(sources.facts.all().filter_map(|fact| moment(fact, denied)));
    moments.extend(taped(sources));
    moments.extend(exposed(sources));
    moments.sort();
    moments
}

fn requested(sources: &Sources) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut says = |at: Option<&Value>, what: String| {
        if let Some(at) = at.and_then(stamp) {
            moments.push(Moment { at, what, source: GENESIS.to_owned() });
        }
    };
    if let Some(request) = &sources.request {
        let of = |member: &str| request.get(member).and_then(text).unwrap_or_default();
        says(
            request.get("created"),
            format!("{} requested {}: {}", of("requester"), of("role"), of("reason")),
        );
    }
    let access = sources.tape.about("access").and_then(|access| access.get("approvals"));
    for approval in
        access.and_then(Value::as_array).into_iter().flatten().filter_map(super::sources::approval)
    {
        says(approval.made.map(Value::String).as_ref(), format!("{} approved", approval.person));
    }
    moments
}

/// Says what a fact means.
fn moment(fact: &Fact, denied: Option<&Fact>) -> Option<Moment> {
    let of = |member: &str| fact.says.get(member).and_then(text).unwrap_or_else(|| "?".to_owned());
    let what = match fact.fact.as_str() {
        OPEN => format!(
            "{} is about to open {} until {}; gate {}",
            of("person"),
            of("role"),
            of("deadline"),
            of("gate")
        ),
        ACTIVE => format!(
            "credentials {} issued to {}, mfa {}; {} worked with them; request ids {}",
            of("access_key_id"),
            of("assumed_role_id"),
            of("mfa"),
            of("probe"),
            of("request_ids")
        ),
        name if name.starts_with(EXTENSION) => format!(
            "{} ({}) gave {} s more without the evidence store",
            of("extended_by"),
            of("as"),
            of("for_s")
        ),
        name if name.starts_with(RENEWED) => {
            format!("{} ({}) moved the end to {}", of("extended_by"), of("as"), of("deadline"))
        }
        REVOKE => format!("{} asked for the end: {}", fact.by, of("reason")),
        DENIED => format!("the Deny {} is in place; request id {}", of("policy"), of("request_id")),
        PROVED if of("state") == "expired" => {
            format!("the credentials have expired: {}", of("why"))
        }
        PROVED => proved(fact, denied),
        GATE => format!("gate {}: {}", of("kind"), of("state")),
        name if name.starts_with(PENDING) => {
            format!("the close-out could not be finished: {}; dead by {}", of("why"), of("dead_by"))
        }
        name if name.starts_with(super::rotate::FACTS) => {
            format!("{}; request id {}", of("what"), of("request_id"))
        }
        name if name == SEEN || name.starts_with("report") => return None,
        name => format!("{} wrote the fact {name}", fact.by),
    };
    // An extension was given before the store could know.
    let at = fact.says.get("granted").and_then(stamp).unwrap_or(fact.at);
    Some(Moment { at, what, source: format!("fact {}", fact.fact) })
}

/// Says by which calls it is proved that an access is denied. The Deny itself, whose id stands before theirs, is none.
fn proved(fact: &Fact, denied: Option<&Fact>) -> String {
    let probe = fact.says.get("probe").and_then(text).unwrap_or_else(|| "?".to_owned());
    let deny = denied.and_then(|denied| denied.says.get("request_id"));
    let ids = fact.says.get("request_ids").and_then(Value::as_array);
    let refused = ids.into_iter().flatten().filter(|id| Some(*id) != deny).filter_map(text);
    format!(
        "{probe} is denied with the session's credentials, that is proved; request ids of the refused calls {}",
        refused.collect::<Vec<_>>().join(", ")
    )
}

fn taped(sources: &Sources) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut says = |at: Stamp, what: String, source: &str| {
        moments.push(Moment { at, what, source: source.to_owned() });
    };
    if let Some(genesis) = &sources.tape.genesis {
        says(genesis.created, format!("the recording began on {}", genesis.host.name), GENESIS);
    }
    if let Some(seal) = &sources.tape.seal {
        let of =
            |member: &str| seal.about.get(member).and_then(text).unwrap_or_else(|| "?".to_owned());
        let what = format!(
            "the tape was sealed: ended by {}, exit {}, {} frames",
            of("ended"),
            of("exit"),
            seal.frames
        );
        says(seal.sealed, what, "tape seal");
    }
    if let Some(recovery) = &sources.tape.recovery {
        says(recovery.last_write, "the recorder wrote its last byte".to_owned(), "tape recovery");
        let what =
            format!("the tape was recovered: {}; {} frames", recovery.reason, recovery.frames);
        says(recovery.recovered, what, "tape recovery");
    }
    moments
}

fn exposed(sources: &Sources) -> Vec<Moment> {
    let found = sources.seen.iter().flat_map(|seen| &seen.exposures);
    let source = sources.heard_by();
    let moments = found.map(|exposure| {
        let kind =
            serde_json::to_value(exposure.kind).ok().as_ref().and_then(text).unwrap_or_default();
        let stream =
            serde_json::to_value(exposure.stream).ok().as_ref().and_then(text).unwrap_or_default();
        Moment {
            at: exposure.at,
            what: format!(
                "{kind} {} appeared, byte {} of the {stream}",
                exposure.shown, exposure.offset
            ),
            source: source.clone(),
        }
    });
    moments.collect()
}

fn stamp(value: &Value) -> Option<Stamp> {
    serde_json::from_value(value.clone()).ok()
}

const GENESIS: &str = "tape genesis";
