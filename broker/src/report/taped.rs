//! What a tape says of itself. This program cannot open one: a host that records cannot read. Whoever has an opening key
//! has bg-replay, the auditor's program, do it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bg_recorder::session::SessionId;
use bg_relay::tap::Taped;

use crate::failure::Failure;
use crate::world::World;

/// Has the tape of a session opened, and what was typed and shown heard again.
///
/// # Errors
/// When bg-replay cannot be run, or the tape does not open for it.
pub fn taped(world: &World, session: SessionId, key: Option<&Path>) -> Result<Taped, Failure> {
    let mut reader = Command::new(program());
    reader.args(["seen", &session.to_string(), "--json", "--up-to-break"]);
    for (option, path) in [("--key", key), ("--config", world.environment.config.as_deref())] {
        if let Some(path) = path {
            reader.arg(option).arg(path);
        }
    }
    let cannot = || Failure::new(format!("cannot read the tape of session {session}"));
    let output = reader.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|e| {
        cannot().because(e).hint("--from-tape needs bg-replay, beside bg-shell or in PATH")
    })?;
    if !output.status.success() {
        return Err(cannot().hint(
            "it takes an opening key: --key FILE, or the auditor's profile in [aws] of --config FILE",
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| cannot().because(e))
}

/// The bg-replay of the same build, where it stands beside this program.
fn program() -> OsString {
    let beside = fs::read_link("/proc/self/exe").ok().map(|path| path.with_file_name(READER));
    let beside = beside.filter(|path| path.is_file());
    beside.map_or_else(|| READER.into(), Into::into)
}

const READER: &str = "bg-replay";
