//! What keeps other code out of this process, as far as a process can: no core, no tracer.

use std::fs;
use std::io;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::failure::Failure;

/// Closes this process to tracers and cores from now on, and looks whether one was faster.
///
/// # Errors
/// When somebody traces it: what a traced recorder writes is its tracer's word.
pub fn close() -> Result<(), Failure> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|e| Failure::new("cannot protect the recorder").because(io::Error::from(e)))?;
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|e| Failure::new("cannot see whether this process is traced").because(e))?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).map(str::trim);
    match tracer {
        Some("0") => Ok(()),
        tracer => {
            let who = tracer.unwrap_or("nobody knows which");
            Err(Failure::new(format!("this process is traced, by process {who}"))
                .hint("a tracer could write the tape: open the session without it"))
        }
    }
}
