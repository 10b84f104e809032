//! `bg-shell recover`: what dead recorders left is shipped, and their tapes are given an end.

use std::io::Write as _;
use std::process::ExitCode;

use bg_recorder::cause::chain;
use bg_recorder::clock::SystemClock;
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::keys::KeyService;
use bg_recorder::recover::{Recovered, recover_all};
use bg_recorder::session::SessionId;
use bg_recorder::verdict::Verdict;
use clap::Args;
use serde_json::json;

use crate::closeout::abandoned;
use crate::failure::Failure;
use crate::herald;
use crate::outage::extended;
use crate::say::say;
use crate::session::summary;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// One JSON object a session on stdout
    #[arg(long)]
    pub json: bool,
}

/// Recovers every orphan; tells what became of each.
///
/// # Errors
/// When the spools cannot be looked at.
pub fn recover(args: &RecoverArgs, world: &World) -> Result<ExitCode, Failure> {
    let all = orphans(world)?;
    for recovered in &all {
        if args.json { print(recovered)? } else { tell(recovered) }
    }
    if all.is_empty() && !args.json {
        say!("bg-shell: nothing to recover");
    }
    Ok(if all.iter().all(done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Recovers what an earlier session left, before the next one. That it fails stops nobody at 2 a.m.: the spool
/// stays, and every start tries again.
pub fn before_a_session(world: &World) {
    if !world.evidence().spool().exists() {
        return;
    }
    match orphans(world) {
        Ok(all) => all.iter().for_each(tell),
        Err(failure) => say!("bg-shell: warning: {failure}"),
    }
}

fn orphans(world: &World) -> Result<Vec<Recovered>, Failure> {
    let evidence = world.evidence();
    if !evidence.spool().exists() {
        return Ok(Vec::new());
    }
    let keys = world.keys()?;
    let closed = close_accesses(world, &*keys);
    let recovered =
        recover_all(&evidence.spool(), evidence.state(), &evidence.store(), &*keys, &SystemClock)
            .map_err(|e| Failure::new("cannot look for orphaned spools").because(e));
    extended::sweep(world, &*keys);
    // The report says what became of the tape, too.
    closed.iter().for_each(|(session, revocation)| herald::late(world, *session, revocation));
    recovered
}

/// Denies what dead sessions may still be used for, before anything else: tapes wait, credentials do not. The facts
/// tell what came of it, and `bg-shell reconcile` goes on.
fn close_accesses(world: &World, keys: &dyn KeyService) -> Vec<(SessionId, Revocation)> {
    let mut closed = Vec::new();
    for (session, revocation) in abandoned::orphans(world, keys) {
        match revocation {
            Ok(revocation) => {
                say!("bg-shell: session {session} was killed; its access is revoked by its name");
                summary::revocation(&revocation);
                closed.push((session, revocation));
            }
            // The tapes are recovered all the same.
            Err(failure) => failure.tell(),
        }
    }
    closed
}

fn print(recovered: &Recovered) -> Result<(), Failure> {
    let written = writeln!(std::io::stdout(), "{}", line(recovered));
    written.map_err(|e| Failure::new("cannot write to standard output").because(e))
}

fn done(recovered: &Recovered) -> bool {
    matches!(&recovered.outcome, Ok(report) if matches!(report.verdict, Verdict::Recovered | Verdict::Intact))
}

fn name(recovered: &Recovered) -> String {
    recovered
        .session
        .map_or_else(|| recovered.spool.display().to_string(), |session| session.to_string())
}

fn tell(recovered: &Recovered) {
    match &recovered.outcome {
        Ok(report) => {
            say!(
                "bg-shell: session {}: {}, {} frames",
                name(recovered),
                report.verdict,
                report.frames
            );
            for finding in &report.findings {
                say!("bg-shell:   {}: {}", finding.object, finding.what);
            }
        }
        Err(e) => {
            say!("bg-shell: error: cannot recover session {}: {}", name(recovered), chain(e));
            say!(
                "bg-shell: hint: its spool stays in {}; run bg-shell recover again",
                recovered.spool.display()
            );
        }
    }
}

fn line(recovered: &Recovered) -> String {
    let name = name(recovered);
    match &recovered.outcome {
        Ok(report) => json!({"session": name, "verdict": report.verdict, "frames": report.frames,
            "segments": report.segments, "findings": report.findings, "error": null}),
        Err(e) => json!({"session": name, "verdict": null, "frames": 0, "segments": 0, "findings": [], "error": chain(e)}),
    }
    .to_string()
}
