//! What a tape begins with: who, why, on what, recorded by which program.

use std::ffi::OsString;
use std::io::Read as _;
use std::sync::Arc;

use bg_recorder::chain::Digest;
use bg_recorder::codec::Header;
use bg_recorder::facts::case::members;
use bg_recorder::genesis::Limits;
use bg_recorder::keys::KeyService;
use bg_recorder::record::{Begins, RecordError, Recorder, Setup};
use bg_recorder::session::SessionId;
use bg_relay::terminal::Terminal;
use rustix::termios::Winsize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::command::Command;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::os::contain::Containment;
use crate::os::user::{self, User};
use crate::session::plan::Plan;
use crate::world::World;

/// Begins the tape: from here on what happens is recorded.
pub(super) fn begin(
    session: SessionId,
    about: Map<String, Value>,
    cast: Header,
    keys: Box<dyn KeyService>,
    plan: &Plan,
    world: &World,
) -> Result<Recorder, Failure> {
    let evidence = world.evidence();
    let setup = Setup {
        session,
        about,
        cast,
        host_name: user::host(),
        state: evidence.state().to_owned(),
        spool: evidence.spool(),
        store: evidence.store(),
        keys,
        clock: Arc::clone(&world.clock),
        limits: Limits::default(),
        begins: if plan.outage.start_offline { Begins::Spooled } else { Begins::Stored },
    };
    Recorder::begin(setup).map_err(|e| not_begun(world, e))
}

/// What AWS refused has a hint of its own.
fn not_begun(world: &World, e: RecordError) -> Failure {
    let hint = match &e {
        _ if !world.is_practice() => EVIDENCE_HINT,
        RecordError::Unstored(_) | RecordError::Store(_) => OFFLINE_HINT,
        _ => STATE_HINT,
    };
    Failure::new("cannot begin the recording").because(e).hint(hint)
}

/// Reads it piece by piece: a program of 40 MB must not be in memory a second time.
pub(super) fn digest_of_this_program() -> Option<Digest> {
    let mut program = std::fs::File::open("/proc/self/exe").ok()?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 65_536];
    loop {
        match program.read(&mut piece).ok()? {
            0 => return Some(Digest::from(<[u8; 32]>::from(hash.finalize()))),
            len => hash.update(piece.get(..len)?),
        }
    }
}

/// Returns what the genesis says in the clear.
pub(super) fn about(
    plan: &Plan,
    environment: &Environment,
    size: Winsize,
    terminal: &Terminal,
    by: Containment,
    digest: Option<Digest>,
) -> Map<String, Value> {
    let user = User::current();
    let command = Command(&plan.command);
    members(json!({
        "user": user.name, "uid": user.uid,
        "reason": plan.reason, "incident": plan.incident, "role": plan.role,
        "approvals": [], "custody": "none",
        "secrets": plan.secrets, "outage": plan.outage, "max_duration_s": plan.max_duration.as_secs(),
        "program": command.program(), "command_sha256": command.digest(), "parent": plan.parent, "containment": by,
        "cols": size.ws_col, "rows": size.ws_row, "term": environment.term, "input": terminal.input,
        "recorder": {"name": "bg-shell", "version": env!("CARGO_PKG_VERSION"), "digest": digest},
    }))
}

/// Returns the sealed header of the recording.
pub(super) fn header(
    reason: Option<String>,
    command: &[OsString],
    environment: &Environment,
    size: Winsize,
) -> Header {
    let env = json!({"TERM": environment.term, "SHELL": environment.shell});
    Header {
        version: 2,
        width: size.ws_col,
        height: size.ws_row,
        timestamp: 0,
        title: reason,
        command: Some(Command(command).quoted()),
        env,
    }
}

const OFFLINE_HINT: &str = "reach the store; [practice.outage] start_offline = true lets a practice session begin without it";
const STATE_HINT: &str = "the practice world needs a writable $XDG_STATE_HOME/bg-shell (default ~/.local/state/bg-shell)";
const EVIDENCE_HINT: &str =
    "see [evidence]; an operator's bg-shell doctor checks the store, the keys and the spool";
