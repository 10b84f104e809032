//! `bg-replay verify`: verdicts and every finding, without any key that opens.

use std::collections::BTreeMap;
use std::time::Instant;

use bg_cli::answer::Answer;
use bg_cli::say::{progress, say};
use bg_recorder::verdict::{Finding, Report, Verdict, Weight};
use serde::Serialize;

use crate::evidence::admitted::seconds;
use crate::evidence::auditor::Auditor;
use crate::evidence::roll::Roll;
use crate::failure::Failure;
use crate::list::{Shape, strays};

/// Verifies one tape; returns its verdict.
///
/// # Errors
/// When it could not be looked at.
pub fn verify_one(
    auditor: &Auditor,
    name: &str,
    shape: Shape,
    out: &mut Answer<'_>,
) -> Result<Verdict, Failure> {
    let place = auditor.place(name)?;
    let trusted = auditor.trusted()?;
    let began = Instant::now();
    let (tape, mut report) = place.judged(&trusted)?;
    auditor.known().compare(&tape, &mut report)?;
    tell(&report, began, shape, out);
    if trusted.is_empty() {
        say!("bg-replay: hint: --trust FILE names the public signing key to check against");
    }
    Ok(report.verdict)
}

/// Verifies all tapes and the host's count of them; returns the worst verdict.
///
/// # Errors
/// When the store could not be looked at.
pub fn verify_all(
    auditor: &Auditor,
    shape: Shape,
    out: &mut Answer<'_>,
) -> Result<Verdict, Failure> {
    let catalog = auditor.catalog()?;
    let found = catalog.found()?;
    let trusted = auditor.trusted()?;
    let mut over_set = catalog.deleted(&found);
    if found.places.is_empty() && over_set.is_empty() {
        return Err(catalog.empty());
    }
    let known = auditor.known();
    let mut roll = Roll::default();
    let mut totals = Totals { worst: Verdict::Intact, verdicts: BTreeMap::new(), frames: 0 };
    for (done, place) in found.places.iter().enumerate() {
        progress(&format!("verifying {} of {}", done + 1, found.places.len()));
        let began = Instant::now();
        let report = match place.judged(&trusted) {
            Ok((tape, mut report)) => {
                roll.enter(&tape);
                known.compare(&tape, &mut report)?;
                report
            }
            Err(failure) => Report::unread(place.session, &failure.to_string()),
        };
        progress("");
        tell(&report, began, shape, out);
        totals.count(&report);
    }
    strays(&found.strays);
    over_set.extend(roll.findings());
    let verdict = match over_set.iter().map(|finding| finding.weight).max() {
        None | Some(Weight::Note) => Verdict::Intact,
        Some(Weight::Unread) => Verdict::Unverifiable,
        Some(Weight::Fault | Weight::Broken) => Verdict::Broken,
    };
    tell_set(verdict, over_set, &totals, shape, out);
    Ok(worse(totals.worst, verdict))
}

/// How many sessions were verified, and what came of it.
struct Totals {
    worst: Verdict,
    verdicts: BTreeMap<Verdict, u64>,
    frames: u64,
}

impl Totals {
    fn count(&mut self, report: &Report) {
        self.worst = worse(self.worst, report.verdict);
        *self.verdicts.entry(report.verdict).or_default() += 1;
        self.frames += report.frames;
    }

    fn sentence(&self) -> String {
        let sessions = self.verdicts.values().sum();
        let verdicts = self.verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}"));
        let verdicts = verdicts.collect::<Vec<_>>().join(", ");
        let all = counted(sessions, "session");
        format!("{all} with {} signed for: {verdicts}", counted(self.frames, "frame"))
    }
}

/// The line over a set of tapes.
#[derive(Serialize)]
struct OverSet<'a> {
    #[serde(flatten)]
    report: Report,
    totals: &'a BTreeMap<Verdict, u64>,
}

/// Returns the one of two verdicts whose exit code says more: broken, could not look, not ended, intact.
pub fn worse(a: Verdict, b: Verdict) -> Verdict {
    let rank = |verdict: Verdict| match verdict.exit_code() {
        1 => 3,
        2 => 2,
        3 => 1,
        _ => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}

fn tell(report: &Report, began: Instant, shape: Shape, out: &mut Answer<'_>) {
    match shape {
        Shape::Json => out.json(report),
        Shape::Human => {
            human(report, &seconds(began.elapsed())).iter().for_each(|line| out.line(line));
        }
    }
}

fn tell_set(
    verdict: Verdict,
    findings: Vec<Finding>,
    totals: &Totals,
    shape: Shape,
    out: &mut Answer<'_>,
) {
    if shape == Shape::Json {
        let report = Report { verdict, findings, ..Report::unread(None, "") };
        return out.json(&OverSet { report, totals: &totals.verdicts });
    }
    for Finding { object, what, .. } in &findings {
        say!("bg-replay: {verdict}: over all sessions: {object}: {what}");
    }
    out.line(&totals.sentence());
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn human(report: &Report, took: &str) -> Vec<String> {
    let session = report.session.map_or("a tape without id".to_owned(), |id| id.to_string());
    let Report { verdict, frames, segments, unsigned, .. } = report;
    let good = if *verdict == Verdict::Broken { " good" } else { "" };
    let more = match unsigned {
        0 => String::new(),
        more => format!(", and {} that no signed note covers", counted(*more, "frame")),
    };
    let mut lines = vec![format!(
        "{verdict}: {session}: {} in {}{good}{more} ({took})",
        counted(*frames, "frame"),
        counted(*segments, "segment")
    )];
    if let Some(signed) = &report.signed {
        let trust = if signed.trusted { "trusted" } else { "not among the trusted keys" };
        lines.push(format!("  signing key: {}, SHA-256 {}: {trust}", signed.name, signed.sha256));
    }
    for one in &report.people {
        lines.push(format!("  {} signed by {} with {}", one.signed, one.name, one.key));
    }
    for finding in &report.findings {
        let weight = match finding.weight {
            Weight::Note => "note",
            Weight::Unread => "not verified",
            Weight::Fault => "fault",
            Weight::Broken => "broken",
        };
        let frame = finding.frame.map_or(String::new(), |frame| format!(" frame {frame}"));
        lines.push(format!("  {weight}: {}{frame}: {}", finding.object, finding.what));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn all(sample: &Sample) -> (Verdict, Vec<serde_json::Value>) {
        let mut out = Vec::new();
        let verdict =
            verify_all(&sample.auditor(), Shape::Json, &mut Answer::to(&mut out)).unwrap();
        let lines = String::from_utf8(out).unwrap();
        (verdict, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn whole_sessions_are_intact() {
        let sample = Sample::default();
        let id = sample.record(&[(b"hi", 0)]);
        sample.record(&[(b"ho", 0)]);
        let (verdict, lines) = all(&sample);
        assert_eq!((verdict, lines.len()), (Verdict::Intact, 3));
        assert_eq!(lines[2]["totals"], serde_json::json!({"intact": 2}));
        assert!(lines.iter().any(|line| line["session"] == id.to_string() && line["frames"] == 2));
        let mut out = Vec::new();
        verify_all(&sample.auditor(), Shape::Human, &mut Answer::to(&mut out)).unwrap();
        let last = String::from_utf8(out).unwrap().lines().last().unwrap().to_owned();
        assert_eq!(last, "2 sessions with 4 frames signed for: 2 intact");
        let mut out = Vec::new();
        let path = sample.tape_dir(id).join("../").join(id.to_string());
        assert_eq!(
            verify_one(
                &sample.auditor(),
                path.to_str().unwrap(),
                Shape::Human,
                &mut Answer::to(&mut out)
            )
            .unwrap(),
            Verdict::Intact
        );
        assert!(String::from_utf8(out).unwrap().starts_with("intact: "));
    }

    #[test]
    fn a_deleted_session_is_a_finding_over_the_set() {
        let sample = Sample::default();
        let ids: Vec<_> = (0..3).map(|_| sample.record(&[(b"x", 0)])).collect();
        std::fs::remove_dir_all(sample.tape_dir(ids[1])).unwrap();
        let (verdict, lines) = all(&sample);
        assert_eq!((verdict, lines.len()), (Verdict::Broken, 3));
        assert!(lines[2]["session"].is_null() && lines[2]["verdict"] == "broken");
        assert!(
            lines[2]["findings"][0]["what"].as_str().unwrap().contains("missing"),
            "{}",
            lines[2]
        );
    }

    #[test]
    fn a_cut_tail_is_seen_by_the_next_session() {
        let sample = Sample::default();
        let first = sample.record(&[(b"x", 0), (b"y", 1_100)]);
        sample.record(&[(b"z", 0)]);
        let dir = sample.tape_dir(first);
        for name in ["seal", "checkpoints/0000000001", "segments/0000000001"] {
            std::fs::remove_file(dir.join(name)).unwrap();
        }
        let (verdict, lines) = all(&sample);
        assert_eq!(verdict, Verdict::Broken);
        assert!(lines[2]["findings"][0]["what"].as_str().unwrap().contains("link"), "{}", lines[2]);
    }

    #[test]
    fn broken_is_worse_than_unseen_than_unfinished() {
        use Verdict::{Broken, Intact, Live, Unverifiable};
        assert_eq!(
            [Intact, Live, Unverifiable, Broken].into_iter().rev().reduce(worse),
            Some(Broken)
        );
        assert_eq!(worse(Live, Unverifiable), Unverifiable);
    }
}
