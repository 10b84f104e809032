//! How a session ends: what its tape says of it, and what its caller is told.

use std::process::ExitCode;
use std::time::Duration;

use bg_recorder::cause::chain;
use bg_recorder::event::{Event, Notice, Survivor};
use bg_recorder::facts::case::members;
use bg_recorder::record::{Closed, RecordError, Recorder};
use bg_relay::outside::Revoked;
use bg_relay::session::{Ended, Ending};
use bg_relay::{Cause, Outcome};
use serde_json::{Map, Value, json};

use crate::access;
use crate::failure::{FAILED, Failure, NOT_EXECUTABLE, NOT_FOUND, REVOKED, TIMED_OUT};

/// Ends the tape. After a failure of the recorder, the reserve makes room to say so and to seal.
pub(super) fn close(
    mut recorder: Recorder,
    outcome: &Outcome,
    access: Option<&access::Closed>,
) -> Result<Closed, RecordError> {
    match &outcome.cause {
        Cause::Recorder(e) => {
            recorder.release_reserve()?;
            recorder.declare_gap(outcome.unreleased, &chain(e))?;
        }
        Cause::Outage(detail) if outcome.unreleased > 0 => {
            recorder.declare_gap(outcome.unreleased, detail)?;
        }
        Cause::System(e) if outcome.unreleased > 0 => {
            recorder.declare_gap(outcome.unreleased, &e.to_string())?;
        }
        _ => {}
    }
    if let Some(Ended { killed, survivors, .. }) = &outcome.ended {
        if *killed > 0 {
            recorder.accept(Event::Notice(&Notice::Killed { processes: *killed }))?;
        }
        if !survivors.is_empty() {
            let processes = survivors.clone();
            recorder.accept(Event::Notice(&Notice::Survived { processes }))?;
        }
    }
    recorder.accept(Event::Exit(status(outcome).into()))?;
    let patience = match recorder.watch().down() {
        Some((since, _)) if since.elapsed() > AWAY || recorder.watch().stored() == 0 => {
            Duration::ZERO
        }
        _ => CLOSE_PATIENCE,
    };
    recorder.finish(ending(outcome, access), patience)
}

pub(super) fn finish(
    outcome: Outcome,
    closed: Result<Closed, RecordError>,
) -> Result<ExitCode, Failure> {
    let code = status(&outcome);
    match outcome.cause {
        Cause::Revoked(Revoked { by, reason }) => {
            return Err(Failure::new(format!("the session was revoked by {by}: {reason}"))
                .hint("ask them before you open another one")
                .code(REVOKED));
        }
        Cause::Outage(detail) => {
            return Err(Failure::new(format!("the session was ended: {detail}")).hint(OUTAGE_HINT));
        }
        Cause::Recorder(e) => {
            return Err(Failure::new(format!("the session was ended: {}", chain(&e))).hint(
                "a session never goes on unrecorded; free the disk or reach the store, then bg-shell recover",
            ));
        }
        Cause::System(e) => return Err(Failure::new(format!("the session was ended: {e}"))),
        Cause::Output(e) => {
            return Err(Failure::new("what the session wrote cannot be written")
                .because(e)
                .hint("its tape has all of it: bg-replay export"));
        }
        Cause::Deadline => {
            return Err(Failure::new("the session's time was over")
                .hint("open another one, or a longer one with --max-duration")
                .code(TIMED_OUT));
        }
        _ => {}
    }
    if let Some(Ended { how: Ending::NotStarted(_, why), .. }) = &outcome.ended {
        return Err(Failure::new(format!("cannot run the command: {why}"))
            .hint("see --shell, and -- CMD")
            .code(code));
    }
    match closed {
        Ok(_) => Ok(ExitCode::from(code)),
        Err(e) => Err(Failure::new("cannot close the tape").because(e).hint(RECOVER_HINT)),
    }
}

/// Says that the recorder is gone, and with it the end of the tape.
pub(super) fn unsealed(cause: &Cause) -> Failure {
    let why = match cause {
        Cause::Recorder(e) => format!(": {}", chain(e)),
        Cause::System(e) => format!(": {e}"),
        _ => String::new(),
    };
    Failure::new(format!("the recorder failed{why}")).hint(RECOVER_HINT)
}

/// Returns the exit code, as shells have it: 128 + n for signal n.
fn status(outcome: &Outcome) -> u8 {
    match &outcome.ended {
        None if matches!(outcome.cause, Cause::NoAccess(_)) => FAILED,
        Some(Ended { how: Ending::Exited(code), .. }) => u8::try_from(*code).unwrap_or(FAILED),
        Some(Ended { how: Ending::Signalled(signal), .. }) => {
            u8::try_from(*signal).ok().and_then(|n| n.checked_add(128)).unwrap_or(FAILED)
        }
        Some(Ended { how: Ending::NotStarted(std::io::ErrorKind::NotFound, _), .. }) => NOT_FOUND,
        Some(Ended { how: Ending::NotStarted(..), .. }) => NOT_EXECUTABLE,
        Some(Ended { how: Ending::KeeperLost | Ending::Unheard, .. }) | None => 128 + 9,
    }
}

fn ending(outcome: &Outcome, access: Option<&access::Closed>) -> Map<String, Value> {
    let (ended, detail) = match &outcome.cause {
        Cause::Exit => ("exit", None),
        Cause::Deadline => ("deadline", None),
        Cause::HangUp => ("hangup", None),
        Cause::Output(e) => ("output-failure", Some(e.to_string())),
        Cause::Signal(name) => ("signal", Some((*name).to_owned())),
        Cause::Revoked(Revoked { by, reason }) => ("revoked", Some(format!("by {by}: {reason}"))),
        Cause::NoAccess(why) => ("no-access", Some(why.clone())),
        Cause::Outage(detail) => ("outage", Some(detail.clone())),
        Cause::Recorder(e) => ("recorder-failure", Some(chain(e))),
        Cause::System(e) => ("system-failure", Some(e.to_string())),
    };
    let signal = match &outcome.ended {
        Some(Ended { how: Ending::Signalled(signal), .. }) => Some(*signal),
        _ => None,
    };
    let killed = outcome.ended.as_ref().map_or(0, |ended| ended.killed);
    let revocation = json!({"custody": "none", "why": "practice: there were no credentials"});
    let about = json!({"ended": ended, "detail": detail, "exit": status(outcome), "signal": signal,
        "killed": killed, "revocation": revocation});
    let survivors = outcome.ended.as_ref().map(|ended| &ended.survivors);
    let survivors = survivors.filter(|survivors| !survivors.is_empty());
    members(about)
        .into_iter()
        .chain(survivors.map(|survivors| ("survivors".to_owned(), in_the_clear(survivors))))
        .chain(access.map(access::Closed::about).unwrap_or_default())
        .collect()
}

/// Names processes in what anybody can read: their arguments may hold secrets, and are on the tape.
fn in_the_clear(survivors: &[Survivor]) -> Value {
    let named = survivors.iter().map(|survivor| {
        let words = survivor.command.split_whitespace();
        let program = words.take(1).filter_map(|word| word.rsplit('/').next()).collect();
        Survivor { command: program, ..survivor.clone() }
    });
    json!(named.collect::<Vec<_>>())
}

const OUTAGE_HINT: &str =
    "reach the store, then bg-shell recover ships what waits; see [roles.<name>.outage]";
const RECOVER_HINT: &str = "bg-shell recover closes its tape later";
/// A store that has been away for so long, or from the start, is not waited for.
const AWAY: Duration = Duration::from_secs(2);
/// How long closing waits for the store otherwise.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);
