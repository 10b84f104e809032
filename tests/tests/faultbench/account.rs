//! Faults between us and the account: STS when a role is opened, IAM when it is closed, a wire that fails between.

use std::fs;
use std::time::Duration;

use bg_recorder::practice::Practice;

use super::row::{Effort, Row, RunIn, Seen};
use super::stage::missing;
use crate::support::case::Bench;
use crate::support::field::issued;
use crate::support::second::Second;
use crate::support::tape::Tape;
use crate::support::wait::within;
use crate::support::wire::{Fault, Wire};
use crate::support::world::{below, stderr};

/// The rows.
pub const ROWS: &[Row] = &[
    long(opening("sts-refuse", "connections to AWS are refused when a role is opened", |_| {
        opened(&Trouble::Refused)
    })),
    long(opening("sts-black-hole", "sts:AssumeRole is never answered", |_| {
        meets(Fault::BlackHole)
    })),
    long(opening("sts-reset-request", "sts:AssumeRole is reset in its middle", |_| {
        meets(Fault::ResetUpload)
    })),
    opening(
        "sts-reset-answer",
        "STS assumes the role; its answers are reset in their middle",
        |_| meets(Fault::ResetAnswer),
    ),
    opening("sts-truncate", "STS assumes the role; its answers end 8 bytes early", |_| {
        meets(Fault::Truncate)
    }),
    opening("sts-500", "500 InternalFailure to sts:AssumeRole", |_| {
        meets(Fault::Status(500, "InternalFailure"))
    }),
    long(opening("sts-503", "503 ServiceUnavailable to sts:AssumeRole", |_| {
        meets(Fault::Status(503, "ServiceUnavailable"))
    })),
    long(opening("sts-429", "429 TooManyRequestsException to sts:AssumeRole", |_| {
        meets(Fault::Status(429, "TooManyRequestsException"))
    })),
    opening("sts-403", "403 AccessDenied to sts:AssumeRole", |_| {
        meets(Fault::Status(403, "AccessDenied"))
    }),
    slow("sts-slow", "STS's answers come at 2 KB/s", |_| opened(&Trouble::Slow)),
    closing("iam-refuse", "connections to AWS are refused when a role is closed", |_| {
        closed(&Trouble::Refused)
    }),
    long(closing("iam-black-hole", "iam:PutRolePolicy is never answered", |_| {
        ends(Fault::BlackHole)
    })),
    long(closing("iam-reset-request", "iam:PutRolePolicy is reset in its middle", |_| {
        ends(Fault::ResetUpload)
    })),
    long(closing(
        "iam-reset-answer",
        "IAM denies the access; its answers are reset in their middle",
        |_| ends(Fault::ResetAnswer),
    )),
    closing("iam-truncate", "IAM denies the access; its answers end 8 bytes early", |_| {
        ends(Fault::Truncate)
    }),
    closing("iam-500", "500 InternalFailure to iam:PutRolePolicy", |_| {
        ends(Fault::Status(500, "InternalFailure"))
    }),
    long(closing("iam-503", "503 ServiceUnavailable to iam:PutRolePolicy", |_| {
        ends(Fault::Status(503, "ServiceUnavailable"))
    })),
    long(closing("iam-429", "429 TooManyRequestsException to iam:PutRolePolicy", |_| {
        ends(Fault::Status(429, "TooManyRequestsException"))
    })),
    closing("iam-403", "403 AccessDenied to iam:PutRolePolicy", |_| {
        ends(Fault::Status(403, "AccessDenied"))
    }),
    slow("iam-slow", "IAM's answers come at 2 KB/s", |_| closed(&Trouble::Slow)),
];

const fn opening(name: &'static str, injected: &'static str, run: fn(Effort) -> Seen) -> Row {
    let must = "no shell; unless AWS said no, the access is called pending; nothing issued lacks a tape or outlives `reconcile`";
    Row { name, injected, must, run_in: RunIn::Every, run }
}

const fn closing(name: &'static str, injected: &'static str, run: fn(Effort) -> Seen) -> Row {
    let must =
        "the revocation is called pending, never revoked; `reconcile` puts the Deny in place";
    Row { name, injected, must, run_in: RunIn::Every, run }
}

const fn slow(name: &'static str, injected: &'static str, run: fn(Effort) -> Seen) -> Row {
    let must = "the session runs; its access is revoked, and that is proved";
    Row { name, injected, must, run_in: RunIn::Full, run }
}

/// The tests have no time for each of them: a call is given up after 25 s.
const fn long(row: Row) -> Row {
    Row { run_in: RunIn::Full, ..row }
}

/// What goes wrong.
enum Trouble {
    /// Nobody listens.
    Refused,
    /// Everything takes its time.
    Slow,
    /// One call meets a fault.
    Call(&'static str, Fault),
}

impl Trouble {
    fn begin(&self, wire: &Wire) {
        match self {
            Self::Refused => wire.refuse(),
            Self::Slow => wire.fault_all(Fault::Slow(100)),
            Self::Call(call, fault) => {
                let call = *call;
                wire.fault(move |request| request.action().as_deref() == Some(call), fault.clone());
            }
        }
    }

    fn end(&self, wire: &Wire) {
        match self {
            Self::Refused => wire.restore(),
            Self::Slow | Self::Call(..) => wire.heal(),
        }
    }

    fn is_slow(&self) -> bool {
        matches!(self, Self::Slow)
    }
}

fn meets(fault: Fault) -> Seen {
    opened(&Trouble::Call("AssumeRole", fault))
}

fn ends(fault: Fault) -> Seen {
    closed(&Trouble::Call("PutRolePolicy", fault))
}

/// A role is opened in trouble.
fn opened(trouble: &Trouble) -> Seen {
    let bench = Bench::new();
    let wire = bench.wire();
    trouble.begin(&wire);
    let output = bench.session("drill", "echo here").output().unwrap();
    let (seen, state) = looked_at(&bench, &wire, trouble, &output);
    if trouble.is_slow() {
        return seen.demand(output.status.success() && state == "revoked", stderr(&output));
    }
    let refused = output.status.code() == Some(125) && output.stdout.is_empty();
    // Only who is refused knows that nothing was issued.
    let expected = if matches!(trouble, Trouble::Call(_, Fault::Status(400..=499, _))) {
        "none"
    } else {
        "pending"
    };
    seen.demand(refused, stderr(&output))
        .demand(state == expected, format!("{state}: {}", stderr(&output)))
}

/// A role is closed in trouble.
fn closed(trouble: &Trouble) -> Seen {
    let bench = Bench::new();
    let wire = bench.wire();
    let go = bench.site.world.home().join("go");
    let script = format!("echo here; until test -e {}; do sleep 0.05; done", go.display());
    let mut session = bench.session("drill", &script);
    let session = session.stdout(std::process::Stdio::piped()).spawn().unwrap();
    bench.kept();
    trouble.begin(&wire);
    fs::write(&go, "").unwrap();
    let output = session.wait_with_output().unwrap();
    let (seen, state) = looked_at(&bench, &wire, trouble, &output);
    let expected = if trouble.is_slow() { "revoked" } else { "pending" };
    seen.demand(output.status.success(), stderr(&output))
        .demand(state == expected, format!("{state}: {}", stderr(&output)))
}

/// Looks at everything after a session: what is alive, what is called dead, what is on its tape. Returns what became
/// of the access in its own words, too.
fn looked_at(
    bench: &Bench,
    wire: &Wire,
    trouble: &Trouble,
    output: &std::process::Output,
) -> (Seen, &'static str) {
    let site = &bench.site;
    let said = stderr(output);
    let alive = |keys: &[String; 3]| site.call_with(keys).is_ok();
    let lives = issued(wire).iter().any(alive);
    let state =
        match (said.contains("access revoked and proved in"), said.contains("REVOKE PENDING")) {
            (true, false) => "revoked",
            (false, true) if said.contains("may live until") => "pending",
            (false, false) => "none",
            _ => "unclear",
        };
    within(Duration::from_secs(10), || site.world.processes().is_empty());
    trouble.end(wire);
    let recovered = site.shell().arg("recover").output().unwrap();
    let reconciled = site.shell().arg("reconcile").output().unwrap();
    let dead = within(Duration::from_secs(10), || !issued(wire).iter().any(alive));
    let practice = Practice { root: site.state() };
    let dirs = below(&site.state().join("evidence/sessions"), 4).into_iter();
    let tapes: Vec<Tape> = dirs.map(|dir| Tape { dir, practice: practice.clone() }).collect();
    let recorded = tapes.last().map(Tape::output).unwrap_or_default();
    let verdicts: Vec<String> = tapes.iter().map(Tape::verdict).collect();
    let second =
        if tapes.is_empty() { Vec::new() } else { Second::verdicts(&practice.trust_key(), &tapes) };
    let seen = Seen {
        outcome: format!("exit {}; access: {state}", output.status.code().unwrap_or(-1)),
        shown_bytes: output.stdout.len() as u64,
        lost_bytes: missing(&output.stdout, &recorded),
        left: site.world.processes().len(),
        ..Seen::default()
    };
    let seen = seen
        .demand(second == verdicts, format!("the second verifier says {second:?}"))
        .demand(
            !lives || state == "pending",
            format!("credentials live, and nobody says so: {said}"),
        )
        .demand(issued(wire).is_empty() || !tapes.is_empty(), "credentials without a tape")
        .demand(recovered.status.success(), stderr(&recovered))
        .demand(matches!(reconciled.status.code(), Some(0 | 3)), stderr(&reconciled))
        .demand(dead, "credentials outlive a reconcile");
    (Seen { verdicts, ..seen }, state)
}
