//! `bg-shell requests`: what was asked for, and how it stands.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::neutral::neutral;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use clap::Args;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::request::decide::describe;
use crate::request::dossier::{Dossier, find, ids};
use crate::request::standing::Standing;
use crate::say::say;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct RequestsArgs {
    /// A request, the beginning of its id, or `last`: shows all of it
    #[arg(value_name = "REQUEST")]
    pub id: Option<String>,
    /// One JSON object a request
    #[arg(long)]
    pub json: bool,
    /// Say again what changes; with one request, until it needs no decision any more
    #[arg(long)]
    pub watch: bool,
    /// Also those that have ended
    #[arg(long)]
    pub all: bool,
}

/// Lists or shows requests.
///
/// # Errors
/// When it cannot be done.
pub fn requests(args: &RequestsArgs, world: &World) -> Result<ExitCode, Failure> {
    let one = args.id.as_deref().map(|id| find(&*world.store(), id)).transpose()?;
    let mut told: BTreeMap<SessionId, (String, usize)> = BTreeMap::new();
    loop {
        let ids = one.map_or_else(|| ids(&*world.store()), |id| Ok(vec![id]))?;
        let mut waits = one.is_none();
        for id in ids {
            let now = SystemClock.now();
            let dossier = Dossier::open(world, id, now);
            let standing = dossier.as_ref().ok().map(|dossier| dossier.standing(now));
            waits |= standing == Some(Standing::Requested);
            let shown = args.all
                || one.is_some()
                || standing.is_none_or(Standing::is_open)
                || told.contains_key(&id);
            let approvals = dossier.as_ref().map_or(0, |dossier| dossier.approvals.len());
            let news =
                (standing.map_or_else(String::new, |standing| standing.to_string()), approvals);
            if shown && told.get(&id) != Some(&news) {
                print(&text(args, id, &dossier, now))?;
                told.insert(id, news);
            }
        }
        if !args.watch && told.is_empty() && !args.json {
            say!("bg-shell: no request is open; --all shows those that have ended");
        }
        if !args.watch || !waits {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(POLL);
    }
}

fn text(
    args: &RequestsArgs,
    id: SessionId,
    dossier: &Result<Dossier, Failure>,
    now: Stamp,
) -> String {
    match dossier {
        Err(why) if args.json => {
            json!({"id": id, "state": "INVALID", "why": why.to_string()}).to_string()
        }
        Err(why) => format!("{id}  INVALID    {}", neutral(&why.to_string())),
        Ok(dossier) if args.json => object(dossier, now).to_string(),
        Ok(dossier) if args.id.is_some() => whole(dossier, now),
        Ok(dossier) => row(dossier, now),
    }
}

fn row(dossier: &Dossier, now: Stamp) -> String {
    let request = dossier.request();
    format!(
        "{}  {:<10} {}/{}  {}  {}  {}: {}",
        request.id,
        dossier.standing(now),
        dossier.approvals.len(),
        request.quorum,
        left(dossier, now).map_or_else(
            || "-".to_owned(),
            |left| humantime::format_duration(whole_minutes(left)).to_string()
        ),
        neutral(&request.role),
        request.requester,
        neutral(&request.reason)
    )
}

fn whole(dossier: &Dossier, now: Stamp) -> String {
    let mut lines = describe(dossier);
    lines.insert(0, format!("{} {}", dossier.standing(now), dossier.request().id));
    for (decided, _) in &dossier.approvals {
        lines.push(format!(
            "  approved by {} at {}",
            decided.statement.approver, decided.statement.made
        ));
    }
    for decided in &dossier.denials {
        lines.push(format!(
            "  denied by   {} at {}",
            decided.statement.approver, decided.statement.made
        ));
    }
    if let Some(claim) = &dossier.claim {
        lines.push(format!(
            "  claimed by  session {}, {} at {}",
            claim.session,
            neutral(&claim.by),
            claim.at
        ));
    }
    if let Some(left) = left(dossier, now) {
        lines.push(format!("  time left   {}", humantime::format_duration(left)));
    }
    lines.extend(dossier.ignored.iter().map(|what| format!("  ignored     {}", neutral(what))));
    lines.join("\n")
}

/// How long it can still be decided on, or used.
fn left(dossier: &Dossier, now: Stamp) -> Option<Duration> {
    let until = match dossier.standing(now) {
        Standing::Requested => dossier.request().expires,
        Standing::Approved => dossier.usable_until(),
        _ => return None,
    };
    Some(Duration::from_secs(until.0.saturating_sub(now.0) / 1_000_000))
}

/// Seconds are of use only where there is less than a minute.
fn whole_minutes(left: Duration) -> Duration {
    let secs = left.as_secs();
    Duration::from_secs(if secs < 60 { secs } else { secs - secs % 60 })
}

fn object(dossier: &Dossier, now: Stamp) -> Value {
    let request = dossier.request();
    let decisions = |all: Vec<&bg_recorder::approval::quorum::Decided>| {
        let one = |decided: &bg_recorder::approval::quorum::Decided| json!({"person": decided.statement.approver, "at": decided.statement.made});
        all.into_iter().map(one).collect::<Vec<_>>()
    };
    let claim =
        dossier.claim.as_ref().map(|c| json!({"session": c.session, "at": c.at, "by": c.by}));
    json!({
        "id": request.id, "state": dossier.standing(now), "role": request.role, "role_arn": request.role_arn,
        "requester": request.requester, "reason": request.reason, "incident": request.incident,
        "duration_s": request.duration_s, "created": request.created, "expires": request.expires,
        "left_s": left(dossier, now).map(|left| left.as_secs()), "quorum": request.quorum,
        "override": request.forced, "request_sha256": dossier.petition.digest,
        "approvals": decisions(dossier.approvals.iter().map(|(decided, _)| decided).collect()),
        "denials": decisions(dossier.denials.iter().collect()), "claim": claim, "ignored": dossier.ignored,
    })
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|e| Failure::new("cannot write to standard output").because(e))
}

/// How often evidence is looked at.
const POLL: Duration = Duration::from_secs(1);
