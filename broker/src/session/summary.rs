//! What a person is told before and after a session, on standard error.

use std::sync::Arc;
use std::time::Duration;

use bg_cli::say::say;
use bg_recorder::ahead::Ahead;
use bg_recorder::cause::chain;
use bg_recorder::clock::Clock;
use bg_recorder::event::Survivor;
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::neutral::neutral;
use bg_recorder::record::{Closed, RecordError};
use bg_recorder::session::SessionId;
use bg_recorder::sign::SigningPublic;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use bg_recorder::tape::Tape;
use bg_recorder::verdict::{Report, Verdict};
use bg_recorder::verify::verify;
use bg_relay::terminal::Medium;
use bg_relay::{Cause, Outcome, Secrets};

use crate::access::Access;
use crate::facts::claim::Claim;
use crate::facts::intent::MARGIN;
use crate::os::contain::Containment;
use crate::request::terms::counted;
use crate::session::plan::Plan;
use crate::world::World;

/// Says that the session is recorded, and how long it may last. Each line fits 80 columns.
pub fn banner(
    world: &World,
    session: SessionId,
    plan: &Plan,
    ends: Stamp,
    by: Containment,
    input: Medium,
    access: Option<&Access<'_>>,
) {
    let secrets = match plan.secrets {
        Secrets::Redact => "local prompts without echo by length only",
        Secrets::Record => "secret prompts, too",
    };
    let left_s = ends.0.saturating_sub(world.clock.wall_us()).div_ceil(1_000_000);
    let limit =
        humantime::format_duration(Duration::from_secs(plan.max_duration.as_secs().min(left_s)));
    match access.map(Access::claim) {
        None if world.is_practice() => say!("bg-shell: PRACTICE session {session}"),
        None => say!("bg-shell: session {session} (no role)"),
        Some(claim) => {
            say!("bg-shell: EMERGENCY session {session}");
            say!(
                "bg-shell: role {}, as {}, because: {}",
                claim.name,
                claim.person,
                neutral(&claim.reason)
            );
            if claim.forced {
                say!(
                    "bg-shell: opened WITHOUT ITS APPROVALS: everyone is told, a review must follow"
                );
            }
        }
    }
    say!("bg-shell: recorded: output, and keys ({secrets})");
    say!("bg-shell: contained by a {}: {}", by.word(), price(by));
    let credentials = if access.is_some() {
        "AWS tools find their credentials"
    } else {
        "no AWS credentials in here"
    };
    say!("bg-shell: ends in {limit}, at {} UTC; {credentials}", ends.clock());
    if input == Medium::Terminal && !world.environment.multiplexed {
        say!("bg-shell: if this terminal hangs up, the session ends; begun inside tmux, it stays");
    }
}

/// Returns what the window is called: an emergency is to be seen.
pub fn title(claim: &Claim, ends: Stamp) -> String {
    let name = neutral(&claim.name);
    format!("EMERGENCY {name} as {} until {} UTC", neutral(&claim.person), ends.clock())
}

/// Returns what a containment holds, or costs.
fn price(by: Containment) -> &'static str {
    match by {
        Containment::PidNamespace => "no other process or owner is seen, no sudo",
        Containment::Cgroup => "all that it starts ends with it",
        Containment::Subreaper => "what it starts as somebody else may outlive it",
    }
}

/// Says whether the access is over. What is not proved is not called revoked.
pub fn revocation(revocation: &Revocation, now: Stamp) {
    match revocation {
        Revocation::None { why } => say!("bg-shell: nothing to revoke: {why}"),
        Revocation::Revoked { probe, elapsed_ms, .. } => {
            let took = humantime::format_duration(Duration::from_millis(*elapsed_ms));
            say!("bg-shell: access revoked and proved in {took}: {probe} is denied");
        }
        Revocation::Expired { why, .. } => {
            say!("bg-shell: the access has expired; not proved by a probe: {why}");
        }
        Revocation::Pending { why, dead_by } => {
            say!("bg-shell: REVOKE PENDING: {why}");
            if *dead_by < now {
                let certain = dead_by.after(MARGIN).clock();
                say!(
                    "bg-shell: its credentials ended at {} UTC; clocks differ: it counts as over at {certain}",
                    dead_by.clock()
                );
            } else {
                say!("bg-shell: the access may live until {} UTC at the latest", dead_by.clock());
            }
            say!("bg-shell: hint: bg-shell reconcile finishes it, from any machine");
        }
    }
}

/// What the closing lines need.
pub struct Summary {
    /// The session.
    session: SessionId,
    /// When it began.
    created: Stamp,
    /// The signing key.
    trusted: SigningPublic,
    /// How long it lasted.
    lasted: Duration,
    /// Where the evidence is.
    store: Arc<dyn ObjectStore>,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    /// Who can read the tape.
    readers: Readers,
}

/// Who can read a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// Whoever recorded it: the practice world has the opening key beside the tape.
    Recorder,
    /// Who has an opening key, and that is not who records.
    Auditors,
}

impl Summary {
    /// Takes what the world knows of a session that has ended.
    pub fn of(
        world: &World,
        session: SessionId,
        created: Stamp,
        trusted: SigningPublic,
        lasted: Duration,
    ) -> Self {
        let readers = if world.is_practice() { Readers::Recorder } else { Readers::Auditors };
        let store = world.store();
        let clock = Arc::clone(&world.clock);
        Self { session, created, trusted, lasted, store, clock, readers }
    }

    /// Says how the session ended, what is on the tape, and what the store holds of it.
    pub fn tell(&self, outcome: &Outcome, closed: Result<&Closed, &RecordError>) {
        let lasted = humantime::format_duration(Duration::from_millis(
            u64::try_from(self.lasted.as_millis()).unwrap_or(u64::MAX),
        ));
        say!("bg-shell: session {} {} after {lasted}", self.session, ended(&outcome.cause));
        for Survivor { pid, uid, command } in survivors(outcome) {
            say!("bg-shell: NOT ENDED: process {pid} of uid {uid} lives on: {command}");
        }
        let Ok(closed) = closed else { return };
        let events: u64 = closed.totals.values().map(|total| total.events).sum();
        let of = |code| closed.totals.get(&code).map_or(0, |total| total.bytes);
        say!(
            "bg-shell: {} (input {} bytes, output {} bytes) in {}, {} bytes sealed",
            counted(events, "event"),
            of('i'),
            of('o'),
            counted(closed.segments, "segment"),
            closed.progress.stored_bytes
        );
        if closed.progress.waiting > 0 {
            let down = closed.progress.down.as_ref();
            let stopped = closed.progress.fatal.clone();
            let why = stopped
                .or_else(|| down.map(|(_, why)| chain(why)))
                .unwrap_or_else(|| "it was too slow".into());
            say!(
                "bg-shell: {} objects are not in the store yet ({why}); bg-shell recover ships them",
                closed.progress.waiting
            );
            return;
        }
        match self.read_back() {
            Some(report) => self.verdict(&report),
            None => say!(
                "bg-shell: the evidence cannot be read back; see bg-replay verify {}",
                self.session
            ),
        }
        match self.readers {
            Readers::Recorder => say!("bg-shell:   replay it   bg-replay play {}", self.session),
            Readers::Auditors => {
                say!("bg-shell:   an auditor replays it   bg-replay play {}", self.session);
            }
        }
        say!("bg-shell:   verify it   bg-replay verify {}", self.session);
    }

    fn read_back(&self) -> Option<Report> {
        let ahead = Ahead::new(Arc::clone(&self.store));
        let tape =
            Tape::list(&ahead, &self.session.prefix(self.created), Some(self.session)).ok()?;
        Some(verify(&tape, std::slice::from_ref(&self.trusted), self.clock.wall_us()))
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

fn survivors(outcome: &Outcome) -> &[Survivor] {
    outcome.ended.as_ref().map_or(&[], |ended| &ended.survivors)
}

/// Returns how a session came to its end.
pub fn ended(cause: &Cause) -> String {
    match cause {
        Cause::Exit => "ended".into(),
        Cause::Deadline => "was ended by its deadline".into(),
        Cause::HangUp => "was ended: its terminal hung up".into(),
        Cause::Output(e) => format!("was ended: what it wrote cannot be written: {e}"),
        Cause::Signal(name) => format!("was ended by {name}"),
        Cause::Revoked(revoked) => format!("was revoked by {}", revoked.by),
        Cause::NoAccess(_) => "had no access, and was ended".into(),
        Cause::Outage(detail) => format!("was ended: {detail}"),
        Cause::Recorder(_) | Cause::System(_) => "was ended by a failure".into(),
    }
}
