//! `bg-replay ls`: one row a session, newest first.

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::session::SessionId;
use bg_recorder::sign::SigningPublic;
use bg_recorder::stamp::Stamp;
use bg_recorder::verdict::Verdict;
use serde::Serialize;

use crate::evidence::auditor::Auditor;
use crate::evidence::catalog::Place;
use crate::evidence::glance::{Glance, TapeState, human_duration};
use crate::failure::{BG_REPLAY, Failure};
use bg_recorder::neutral::neutral;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Whether rows carry a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only what the objects say.
    Glance,
    /// Each tape is verified.
    Verify,
}

/// Lists all sessions.
///
/// # Errors
/// When the store cannot be looked at.
pub fn list(
    auditor: &Auditor,
    depth: Depth,
    shape: Shape,
    out: &mut Answer<'_>,
) -> Result<(), Failure> {
    let catalog = auditor.catalog()?;
    let found = catalog.found()?;
    let trusted = if depth == Depth::Verify { Some(auditor.trusted()?) } else { None };
    if found.places.is_empty() {
        BG_REPLAY.mention(&catalog.empty());
    } else if shape == Shape::Human {
        out.line(&heading(depth));
    }
    for place in &found.places {
        // One that cannot be looked at costs no other its row.
        let row = Row::of(place, trusted.as_deref()).unwrap_or_else(|failure| {
            BG_REPLAY.warn(&failure);
            Row::unread(place.session)
        });
        if shape == Shape::Json {
            out.json(&row)
        } else {
            out.line(&row.human())
        }
        if !out.is_taken() {
            break;
        }
    }
    strays(&found.strays);
    Ok(())
}

/// Says that the store has things that belong to no session.
pub fn strays(strays: &[String]) {
    if let Some(first) = strays.first() {
        let count = strays.len();
        say!(
            "bg-replay: warning: {count} names in the evidence store belong to no session, such as {first}"
        );
    }
}

#[derive(Debug, Serialize)]
struct Row {
    session: Option<SessionId>,
    started: Option<Stamp>,
    state: TapeState,
    user: Option<String>,
    reason: Option<String>,
    incident: Option<String>,
    duration_s: Option<f64>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(skip)]
    duration_us: Option<u64>,
}

impl Row {
    fn of(place: &Place, trusted: Option<&[SigningPublic]>) -> Result<Self, Failure> {
        let tape = place.tape()?;
        let glance = Glance::of(&tape);
        Ok(Self {
            session: place.session,
            started: glance.started(),
            state: glance.state,
            user: glance.about("user"),
            reason: glance.about("reason"),
            incident: glance.about("incident"),
            duration_s: glance.duration_us.map(|us| us as f64 / 1e6),
            bytes: tape.bytes(),
            verdict: trusted
                .map(|trusted| place.judged(trusted))
                .transpose()?
                .map(|(_, report)| report.verdict),
            duration_us: glance.duration_us,
        })
    }

    fn unread(session: Option<SessionId>) -> Self {
        Self {
            session,
            started: None,
            state: TapeState::Open,
            user: None,
            reason: None,
            incident: None,
            duration_s: None,
            bytes: 0,
            verdict: Some(Verdict::Unverifiable),
            duration_us: None,
        }
    }

    fn human(&self) -> String {
        let session = self.session.map_or(String::new(), |id| id.to_string());
        let started = self.started.map_or("-".to_owned(), |at| at.minute().replace(' ', "T"));
        let [user, reason] = [(&self.user, USER_WIDTH), (&self.reason, REASON_WIDTH)]
            .map(|(text, width)| clip(&text.as_deref().map_or("-".to_owned(), neutral), width));
        let duration = self.duration_us.map_or("-".to_owned(), human_duration);
        let state =
            self.verdict.map_or_else(|| self.state.to_string(), |verdict| verdict.to_string());
        line(&session, &started, &state, &duration, &user, &reason)
    }
}

fn heading(depth: Depth) -> String {
    let state = if depth == Depth::Verify { "VERDICT" } else { "STATE" };
    line("SESSION", "STARTED (UTC)", state, "LASTED", "WHO", "WHY")
}

/// One row: what may be long stands last.
fn line(session: &str, started: &str, state: &str, lasted: &str, who: &str, why: &str) -> String {
    format!("{session:36}  {started:16}  {state:12}  {lasted:>8}  {who:USER_WIDTH$}  {why}")
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

const USER_WIDTH: usize = 8;
const REASON_WIDTH: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn listed(sample: &Sample, depth: Depth, shape: Shape) -> String {
        let mut out = Vec::new();
        list(&sample.auditor(), depth, shape, &mut Answer::to(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_words_are_neutral_in_every_shape() {
        let sample = Sample::default();
        sample.record(&[(b"hi", 0)]);
        let human = listed(&sample, Depth::Verify, Shape::Human);
        assert!(
            human.contains("\\x1b]0;") && human.contains("intact") && !human.contains('\x1b'),
            "{human}"
        );
        let json = listed(&sample, Depth::Glance, Shape::Json);
        let row: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(row["reason"], Sample::REASON);
        assert!(!json.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'));
        assert!(row["duration_s"].as_f64().unwrap() > 0.0 && row.get("verdict").is_none());
    }

    #[test]
    fn an_unreadable_genesis_still_has_a_row() {
        let sample = Sample::default();
        let id = sample.record(&[(b"hi", 0)]);
        std::fs::remove_file(sample.tape_dir(id).join("genesis")).unwrap();
        let human = listed(&sample, Depth::Verify, Shape::Human);
        assert!(human.contains(&id.to_string()) && human.contains("broken"), "{human}");
    }

    #[test]
    fn an_empty_store_lists_nothing() {
        assert_eq!(listed(&Sample::default(), Depth::Glance, Shape::Human), "");
    }
}
