//! `bg-shell requests`: what was asked for, and how it stands.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::abreast::Abreast;
use bg_recorder::approval::APPROVAL_NAMESPACE;
use bg_recorder::approval::statement::Principal;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use clap::Args;
use serde_json::{Value, json};

use crate::config::RoleConfig;
use crate::failure::Failure;
use crate::request::decide::describe;
use crate::request::dossier::{Dossier, FACT_MAX};
use crate::request::lookup::{REQUESTS, find, ids_of, listed};
use crate::request::signer::{Signer, SignerArgs, signers};
use crate::request::standing::Standing;
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
    /// Print the session policy that an approver of this request approves
    #[arg(long, requires = "id", conflicts_with_all = ["json", "watch"])]
    pub policy: bool,
    /// Who reads the list: says what waits for them
    #[command(flatten)]
    pub signer: SignerArgs,
}

/// Lists or shows requests.
///
/// # Errors
/// When it cannot be done.
pub fn requests(
    args: &RequestsArgs,
    world: &World,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    let id = args.id.as_deref();
    let one = id.map(|id| find(&*world.store(), id, world.clock.now())).transpose()?;
    if args.policy {
        return policy(world, one, out);
    }
    let mut list = List { args, world, you: you(args, world), told: BTreeMap::new() };
    loop {
        let waits = match one {
            Some(id) => list.look(&world.store(), &[id], out)?,
            None => list.all(out)?,
        };
        if !args.watch && list.told.is_empty() && !args.json {
            say!("bg-shell: no request is open; --all shows those that have ended");
        }
        if !args.watch || !waits || !out.is_taken() {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(POLL);
    }
}

/// What was shown already, and to whom.
struct List<'a> {
    args: &'a RequestsArgs,
    world: &'a World,
    /// Who may sign with the keys that are here.
    you: Vec<(String, Principal)>,
    told: BTreeMap<SessionId, (String, usize)>,
}

impl List<'_> {
    /// Looks at all that may be open; without `--all` the newest of them only, as whoever fills the bucket would have
    /// this take minutes.
    fn all(&mut self, out: &mut Answer<'_>) -> Result<bool, Failure> {
        let entries = listed(&*self.world.store())?;
        let mut ids = ids_of(&entries, self.world.clock.now());
        let mut passed_over = 0;
        if !self.args.all {
            let since = since(self.world);
            ids.retain(|id| id.minted() >= since || self.told.contains_key(id));
            passed_over = ids.len().saturating_sub(LOOKED_AT_MAX);
            ids = ids.split_off(passed_over);
        }
        let keys = ids.iter().map(|id| format!("{REQUESTS}{id}/request"));
        let read = Abreast::read(self.world.store(), keys, FACT_MAX).listed(REQUESTS, entries);
        let store: Arc<dyn ObjectStore> = Arc::new(read);
        self.look(&store, &ids, out)?;
        if passed_over > 0 {
            say!(
                "bg-shell: warning: {passed_over} older requests were not looked at; --all lists them"
            );
        }
        Ok(true)
    }

    /// Shows what is new of some requests; returns whether one of them waits for a decision.
    fn look(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        ids: &[SessionId],
        out: &mut Answer<'_>,
    ) -> Result<bool, Failure> {
        let args = self.args;
        let mut waits = false;
        let mut void = 0;
        for id in ids {
            let now = SystemClock.now();
            let dossier = Dossier::read(self.world, store, *id, now);
            if dossier.is_err() && args.id.is_none() && !args.all {
                void += 1;
                if void > VOID_SHOWN {
                    continue;
                }
            }
            let standing = dossier.as_ref().ok().map(|dossier| dossier.standing(now));
            waits |= standing == Some(Standing::Requested);
            let shown = args.all
                || args.id.is_some()
                || standing.is_none_or(Standing::is_open)
                || self.told.contains_key(id);
            let approvals = dossier.as_ref().map_or(0, |dossier| dossier.approvals.len());
            let news =
                (standing.map_or_else(String::new, |standing| standing.to_string()), approvals);
            if shown && self.told.get(id) != Some(&news) {
                if self.told.is_empty() && args.id.is_none() && !args.json {
                    say!(
                        "{:<36}  {:<10} YES  {:<8} {:<8} ROLE  WHO: WHY",
                        "REQUEST",
                        "STATE",
                        "AGE",
                        "LEFT"
                    );
                }
                self.show(*id, &dossier, now, out);
                self.told.insert(*id, news);
            }
        }
        if void > VOID_SHOWN {
            let more = void - VOID_SHOWN;
            say!("bg-shell: warning: {more} more requests are void; --all lists them");
        }
        Ok(waits)
    }

    fn show(
        &self,
        id: SessionId,
        dossier: &Result<Dossier, Failure>,
        now: Stamp,
        out: &mut Answer<'_>,
    ) {
        let args = self.args;
        match dossier {
            Err(why) if args.json => {
                out.json(&json!({"id": id, "state": "INVALID", "why": why.to_string()}));
            }
            Err(why) => out.line(&format!("{id}  INVALID    {why}")),
            Ok(dossier) if args.json => out.json(&object(dossier, now)),
            Ok(dossier) if args.id.is_some() => {
                whole(dossier, now).iter().for_each(|line| out.line(line));
            }
            Ok(dossier) => {
                let waits = waits_for(dossier, &self.you, now);
                out.line(&format!("{}{waits}", row(dossier, now)));
            }
        }
    }
}

/// Nothing that was asked for before this can be open any more.
fn since(world: &World) -> Stamp {
    let lasts =
        world.config.roles.values().map(|role| role.approval_expires + role.execution_expires);
    let longest = lasts.max().unwrap_or_default() + AN_HOUR;
    let longest_us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    Stamp(SystemClock.wall_us().saturating_sub(longest_us))
}

/// Returns for which role the keys here may sign as whom. Who has none reads the list all the same.
fn you(args: &RequestsArgs, world: &World) -> Vec<(String, Principal)> {
    let of = |(name, role): (&String, &RoleConfig)| {
        let (_, signers) = signers(role).ok()?;
        let signer = Signer::find(&args.signer, &signers, APPROVAL_NAMESPACE, world).ok()?;
        Some((name.clone(), signer.person.clone()))
    };
    if args.json || args.id.is_some() {
        return Vec::new();
    }
    world.config.roles.iter().filter_map(of).collect()
}

/// Says whose turn it is, where it is that of whoever reads this.
fn waits_for(dossier: &Dossier, you: &[(String, Principal)], now: Stamp) -> &'static str {
    let request = dossier.request();
    let Some((_, me)) = you.iter().find(|(role, _)| *role == request.role) else { return "" };
    let mine = *me == request.requester;
    let decided = dossier.decided.iter().any(|who| who == me.as_str());
    match dossier.standing(now) {
        Standing::Requested if !mine && !decided => "  <- waits for you",
        Standing::Approved if mine => "  <- yours to open",
        _ => "",
    }
}

/// Prints what the session policy of a request's role lets its session do, as its approvers approve it.
fn policy(
    world: &World,
    one: Option<SessionId>,
    out: &mut Answer<'_>,
) -> Result<ExitCode, Failure> {
    let id = one.ok_or_else(|| {
        Failure::new("--policy is about one request").hint("bg-shell requests ID --policy")
    })?;
    let dossier = Dossier::open(world, id, SystemClock.now())?;
    match &dossier.scope {
        Some(text) => out.page(&format!("{}\n", String::from_utf8_lossy(text).trim_end())),
        None => say!(
            "bg-shell: {} has no session policy: a session may do all that the role may",
            dossier.request().role
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn row(dossier: &Dossier, now: Stamp) -> String {
    let request = dossier.request();
    let time = |long: Duration| humantime::format_duration(whole_minutes(long)).to_string();
    let age = Duration::from_micros(now.0.saturating_sub(request.created.0));
    let session = dossier.claim.as_ref().map(|claim| format!("  session {}", claim.session));
    format!(
        "{}  {:<10} {}/{}  {:<8} {:<8} {}  {}: {}{}",
        request.id,
        dossier.standing(now),
        dossier.approvals.len(),
        request.quorum,
        time(age),
        left(dossier, now).map_or_else(|| "-".to_owned(), time),
        request.role,
        request.requester,
        request.reason,
        session.unwrap_or_default()
    )
}

fn whole(dossier: &Dossier, now: Stamp) -> Vec<String> {
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
    for (who, reason) in &dossier.reasons {
        lines.push(format!("  says {who}: {reason}"));
    }
    if let Some(claim) = &dossier.claim {
        lines
            .push(format!("  claimed by  session {}, {} at {}", claim.session, claim.by, claim.at));
    }
    if let Some(left) = left(dossier, now) {
        lines.push(format!("  time left   {}", humantime::format_duration(left)));
    }
    lines.extend(dossier.ignored.iter().map(|what| format!("  ignored     {what}")));
    lines
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
        "denials": decisions(dossier.denials.iter().collect()),
        "reasons": dossier.reasons.iter().map(|(person, reason)| json!({"person": person, "reason": reason})).collect::<Vec<_>>(),
        "claim": claim, "ignored": dossier.ignored,
    })
}

/// How often evidence is looked at.
const POLL: Duration = Duration::from_secs(1);
/// How many requests are looked at that may be open.
const LOOKED_AT_MAX: usize = 1_000;
/// How many void requests are listed.
const VOID_SHOWN: usize = 10;
const AN_HOUR: Duration = Duration::from_secs(3_600);
