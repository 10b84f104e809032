//! `bg-shell drill`: the production path from the request to the proof that the access is over, with a scripted
//! responder, measured; and with `--fault`, with something broken on the way.

mod altered;
mod copy;
mod fault;
mod log;
mod past;
mod responder;
mod scenario;
mod valve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::session::SessionId;
use clap::Args;
use serde_json::{Value, json};

pub use self::fault::Fault;
use self::log::Log;
use self::past::Past;
use self::responder::Responder;
use crate::config::{PRACTICE, RoleConfig};
use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// The role to open [default: drill.role of the configuration, else the practice world]
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Break something on the way; the drill passes only if the right thing becomes of it
    #[arg(long, value_name = "FAULT")]
    fault: Option<Fault>,
    /// The SSH key of the responder, as for `bg-shell request`
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The SSH key of an approver, for a role that needs approvals; once for each
    #[arg(long, value_name = "FILE")]
    approver_key: Vec<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// A command that the responder runs, besides the usual ones
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// One drill: what it plays with.
pub struct Drill<'a> {
    /// The world.
    pub world: &'a World,
    /// The role's name.
    pub name: String,
    /// The role; none: the practice world's.
    pub role: Option<&'a RoleConfig>,
    /// What is broken.
    pub fault: Option<Fault>,
    /// Who requests and approves, with which keys.
    pub keys: (Option<PathBuf>, Vec<PathBuf>),
}

/// Runs a drill. It passes when every step did, within the limits of `[drill]`.
///
/// # Errors
/// When it cannot be begun, or not be written down.
pub fn drill(args: &DrillArgs, world: &World, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    let drill = Drill::of(args, world)?;
    let mut log = Log::default();
    say!(
        "bg-shell: DRILL of role {}{}",
        drill.name,
        drill.fault.map(|f| format!(" with {f}")).unwrap_or_default()
    );
    let responder = Responder::new(world, &args.command)?;
    let session = scenario::play(&drill, responder, &mut log);
    log.limit("time to access", log.to_access_ms, world.config.drill.time_to_access_max);
    log.limit("time to revoke", log.to_revoke_ms, world.config.drill.time_to_revoke_max);
    let id = session.unwrap_or_else(SessionId::mint);
    let past = Past::read(world, &drill);
    past::write_down(world, id, report(&drill, session, &log))?;
    if args.json {
        out.json(&whole(&drill, session, &log, &past));
    } else {
        tell(&log, &past, out);
    }
    Ok(if log.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl<'a> Drill<'a> {
    fn of(args: &DrillArgs, world: &'a World) -> Result<Self, Failure> {
        let name = args.role.clone().or_else(|| world.config.drill.role.clone());
        let name = name.unwrap_or_else(|| PRACTICE.to_owned());
        let role = if name == PRACTICE { None } else { Some(world.role(&name)?) };
        let keys = (args.key.clone(), args.approver_key.clone());
        let drill = Self { world, name, role, fault: args.fault, keys };
        match drill.impossible() {
            Some((why, hint)) => Err(Failure::new(why).hint(hint)),
            None => Ok(drill),
        }
    }

    /// Returns why this cannot be played here, and what can.
    fn impossible(&self) -> Option<(String, &'static str)> {
        if let Some(role) = self.role {
            let needs = usize::try_from(role.quorum).unwrap_or(usize::MAX);
            if needs > self.keys.1.len() {
                let why = format!(
                    "role {:?} needs {needs} approvals, and there are fewer --approver-key",
                    self.name
                );
                return Some((why, "name the approvers' keys, or drill a role with quorum = 0"));
            }
            if !matches!(role.mfa, crate::config::Mfa::None) {
                let why =
                    format!("role {:?} needs a second factor, which a script has not", self.name);
                return Some((
                    why,
                    "drill a role with mfa.mode = \"none\" that can do no harm: [drill] role",
                ));
            }
        }
        self.fault.and_then(|fault| fault.impossible(self))
    }
}

fn report(drill: &Drill<'_>, session: Option<SessionId>, log: &Log) -> Value {
    json!({
        "role": drill.name, "drilled_session": session, "fault": drill.fault, "passed": log.passed(),
        "time_to_access_ms": log.to_access_ms, "time_to_revoke_ms": log.to_revoke_ms, "steps": log.steps,
    })
}

fn whole(drill: &Drill<'_>, session: Option<SessionId>, log: &Log, past: &Past) -> Value {
    let mut report = report(drill, session, log);
    if let Value::Object(members) = &mut report {
        members.insert("past".into(), json!(past));
    }
    report
}

fn tell(log: &Log, past: &Past, out: &mut Answer<'_>) {
    log.lines().for_each(|line| out.line(&line));
    out.page(&past.to_string());
    out.line(if log.passed() { "the drill passed" } else { "the drill FAILED" });
}
