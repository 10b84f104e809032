//! `bg-shell recover`: what dead recorders left is shipped, and their tapes are given an end.

use std::process::ExitCode;

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::cause::chain;
use bg_recorder::clock::SystemClock;
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::keys::KeyService;
use bg_recorder::recover::owner::NotOurs;
use bg_recorder::recover::{RecoverError, Recovered, recover_all};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::verdict::Verdict;
use clap::Args;
use serde_json::{Value, json};

use crate::closeout::abandoned;
use crate::commands::orphans::{DONE, beside};
use crate::failure::{BG_SHELL, Failure};
use crate::herald;
use crate::outage::granted;
use crate::session::summary;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// One JSON object a session on stdout
    #[arg(long)]
    pub json: bool,
    /// A few lines on stdout, for the session that begins meanwhile
    #[arg(long, hide = true, conflicts_with = "json")]
    pub briefly: bool,
    /// What --briefly starts, and does not wait for
    #[arg(long, hide = true, conflicts_with = "json")]
    pub beside: bool,
}

/// Recovers every orphan; tells what became of each.
///
/// # Errors
/// When the spools cannot be looked at.
pub fn recover(
    args: &RecoverArgs,
    world: &World,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    if args.briefly {
        let started = beside(world);
        return Ok(if started.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if args.beside {
        briefly(world, out);
        return Ok(ExitCode::SUCCESS);
    }
    let Swept { closed, recovered: all } = orphans(world)?;
    for (session, revocation) in &closed {
        say!("bg-shell: session {session} was killed; its access is revoked by its name");
        summary::revocation(revocation, world.clock.now());
    }
    for recovered in &all {
        if args.json { out.json(&line(recovered)) } else { tell(recovered) }
    }
    if all.is_empty() && !args.json {
        say!("bg-shell: nothing to recover");
    }
    Ok(if all.iter().all(done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Recovers for a session that begins meanwhile and has other things to say: three lines, whatever there was.
fn briefly(world: &World, out: &mut Answer<'_>) {
    let lines = match orphans(world) {
        Ok(swept) => brief(&swept, world.clock.now()),
        Err(failure) => vec![format!("bg-shell: warning: {failure}")],
    };
    lines.iter().for_each(|line| out.line(line));
    out.line(DONE);
}

/// One line for the accesses, one for the tapes, one for what failed.
fn brief(swept: &Swept, now: Stamp) -> Vec<String> {
    let (good, bad): (Vec<_>, Vec<_>) =
        swept.recovered.iter().partition(|recovered| done(recovered));
    let mut lines = Vec::new();
    match swept.closed.as_slice() {
        [] => {}
        [(session, revocation)] => {
            let access = revocation.as_of(now);
            lines.push(format!("bg-shell: session {session} was killed; its access: {access}"));
        }
        closed => lines.push(format!(
            "bg-shell: {} sessions were killed; their accesses are revoked by name: bg-shell sessions",
            closed.len()
        )),
    }
    match good.as_slice() {
        [] => {}
        [one] => lines.extend(outcome(one).into_iter().take(1)),
        good => lines.push(format!("bg-shell: {} killed sessions are recovered", good.len())),
    }
    match bad.as_slice() {
        [] => {}
        [one] => lines.extend(outcome(one).into_iter().take(1)),
        bad => lines.push(format!(
            "bg-shell: error: {} killed sessions are not recovered; bg-shell recover says why",
            bad.len()
        )),
    }
    lines
}

/// What was done about what dead recorders left.
#[derive(Default)]
struct Swept {
    closed: Vec<(SessionId, Revocation)>,
    recovered: Vec<Recovered>,
}

fn orphans(world: &World) -> Result<Swept, Failure> {
    let evidence = world.evidence();
    if !evidence.spool().exists() {
        return Ok(Swept::default());
    }
    let keys = world.keys()?;
    let closed = close_accesses(world, &*keys);
    let recovered =
        recover_all(&evidence.spool(), evidence.state(), &evidence.store(), &*keys, &SystemClock)
            .map_err(|e| Failure::new("cannot look for orphaned spools").because(e));
    granted::sweep(world, &*keys);
    // The report says what became of the tape, too.
    closed.iter().for_each(|(session, revocation)| herald::late(world, *session, revocation));
    Ok(Swept { closed, recovered: recovered? })
}

/// Denies what dead sessions may still be used for, before anything else: tapes wait, credentials do not. The facts
/// tell what came of it, and `bg-shell reconcile` goes on.
fn close_accesses(world: &World, keys: &dyn KeyService) -> Vec<(SessionId, Revocation)> {
    let mut closed = Vec::new();
    for (session, revocation) in abandoned::orphans(world, keys) {
        match revocation {
            Ok(revocation) => closed.push((session, revocation)),
            // The tapes are recovered all the same.
            Err(failure) => BG_SHELL.tell(&failure),
        }
    }
    closed
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
    for line in outcome(recovered) {
        say!("{line}");
    }
}

/// What became of one, in lines of which the first says most.
fn outcome(recovered: &Recovered) -> Vec<String> {
    let name = name(recovered);
    match &recovered.outcome {
        Ok(report) => {
            let what =
                format!("bg-shell: session {name}: {}, {} frames", report.verdict, report.frames);
            let findings = report.findings.iter();
            std::iter::once(what)
                .chain(findings.map(|one| format!("bg-shell:   {}: {}", one.object, one.what)))
                .collect()
        }
        Err(e) => vec![
            format!("bg-shell: error: cannot recover session {name}: {}", chain(e)),
            format!(
                "bg-shell: hint: its spool stays in {}; {}",
                recovered.spool.display(),
                advice(e)
            ),
        ],
    }
}

/// What a person can do about a spool that stays.
fn advice(error: &RecoverError) -> String {
    match error {
        RecoverError::NotOurs(NotOurs::Renamed(id)) => format!(
            "host.json in the state directory was lost or is another's: write {{\"id\":\"{id}\",\"last\":null}} into \
             it, and run bg-shell recover again"
        ),
        RecoverError::NotOurs(NotOurs::Host(_)) => {
            "move it there, or remove it if it is not a session's".to_owned()
        }
        RecoverError::Stranger => {
            "run bg-shell recover with the configuration that recorded it".to_owned()
        }
        _ => "run bg-shell recover again".to_owned(),
    }
}

fn line(recovered: &Recovered) -> Value {
    let name = name(recovered);
    match &recovered.outcome {
        Ok(report) => json!({"session": name, "verdict": report.verdict, "frames": report.frames,
            "segments": report.segments, "findings": report.findings, "error": null}),
        Err(e) => {
            json!({"session": name, "verdict": null, "frames": 0, "segments": 0, "findings": [], "error": chain(e)})
        }
    }
}
