//! What a person is told before and after a session, on standard error.

use std::sync::Arc;
use std::time::Duration;

use bg_recorder::cause::chain;
use bg_recorder::clock::{Clock as _, Stamp, SystemClock};
use bg_recorder::recorder::{Closed, RecordError};
use bg_recorder::session::SessionId;
use bg_recorder::sign::SigningPublic;
use bg_recorder::store::ObjectStore;
use bg_recorder::tape::Tape;
use bg_recorder::verdict::{Report, Verdict};
use bg_recorder::verify::verify;

use crate::config::Secrets;
use crate::contain::Containment;
use crate::open::Plan;
use crate::relay::{Cause, Outcome};
use crate::say::say;

/// Says that the session is recorded, and how long it may last. Each line fits 80 columns.
pub fn banner(session: SessionId, plan: &Plan, ends: Stamp, by: Containment) {
    let secrets = match plan.secrets {
        Secrets::Redact => "secret prompts by length only",
        Secrets::Record => "secret prompts, too",
    };
    let limit = humantime::format_duration(Duration::from_secs(plan.max_duration.as_secs()));
    let until: String = ends.to_string().chars().skip(11).take(8).collect();
    say!("bg-shell: PRACTICE session {session}");
    say!("bg-shell: recorded: keys typed ({secrets}), output, window sizes");
    if by == Containment::Subreaper {
        say!("bg-shell: warning: no PID namespace here; the session is contained by a subreaper only");
    }
    say!("bg-shell: ends in {limit}, at {until} UTC; no AWS credentials in here");
}

/// What the closing lines need.
pub struct Summary {
    /// The session.
    pub session: SessionId,
    /// When it began.
    pub created: Stamp,
    /// The signing key.
    pub trusted: SigningPublic,
    /// How long it lasted.
    pub lasted: Duration,
    /// Where the evidence is.
    pub store: Arc<dyn ObjectStore>,
}

impl Summary {
    /// Says how the session ended, what is on the tape, and what the store holds of it.
    pub fn tell(&self, outcome: &Outcome, closed: Result<&Closed, &RecordError>) {
        let lasted = humantime::format_duration(Duration::from_millis(
            u64::try_from(self.lasted.as_millis()).unwrap_or(u64::MAX),
        ));
        say!("bg-shell: session {} {} after {lasted}", self.session, ended(&outcome.cause));
        let Ok(closed) = closed else { return };
        let events: u64 = closed.totals.values().map(|total| total.events).sum();
        let of = |code| closed.totals.get(&code).map_or(0, |total| total.bytes);
        say!(
            "bg-shell: {events} events (input {} bytes, output {} bytes) in {} segments, {} bytes sealed",
            of('i'),
            of('o'),
            closed.segments,
            closed.progress.stored_bytes
        );
        if closed.progress.waiting > 0 {
            let why = closed.progress.down.as_ref().map_or("it was too slow".into(), |(_, why)| chain(why));
            say!(
                "bg-shell: {} objects are not in the store yet ({why}); bg-shell recover ships them",
                closed.progress.waiting
            );
            return;
        }
        match self.read_back() {
            Some(report) => self.verdict(&report),
            None => say!("bg-shell: the evidence cannot be read back; see bg-replay verify {}", self.session),
        }
        say!("bg-shell:   replay it   bg-replay play {}", self.session);
        say!("bg-shell:   verify it   bg-replay verify {}", self.session);
    }

    fn read_back(&self) -> Option<Report> {
        let tape = Tape::list(&*self.store, &self.session.prefix(self.created), Some(self.session)).ok()?;
        Some(verify(&tape, std::slice::from_ref(&self.trusted), SystemClock.wall_us()))
    }

    fn verdict(&self, report: &Report) {
        say!("bg-shell: read back from the store: {}", report.verdict);
        if report.verdict != Verdict::Intact {
            for finding in &report.findings {
                say!("bg-shell:   {}: {}", finding.object, finding.what);
            }
        }
    }
}

fn ended(cause: &Cause) -> String {
    match cause {
        Cause::Exit => "ended".into(),
        Cause::Deadline => "was ended by its deadline".into(),
        Cause::HangUp => "was ended: its terminal hung up".into(),
        Cause::Signal(name) => format!("was ended by {name}"),
        Cause::Recorder(_) | Cause::System(_) => "was ended by a failure".into(),
    }
}
