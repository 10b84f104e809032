//! What killed recorders left behind, recovered beside the next session: nobody waits long for it at 2 a.m.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use bg_cli::say::say;
use bg_recorder::spool;

use crate::os::words::this_program;
use crate::world::World;

/// Has a child recover what there is, and waits a little for its few lines. Where it takes longer, where an account or
/// a store does not answer, it goes on beside the session. That it fails stops nobody: the spools stay, and every
/// start tries again.
pub fn before_a_session(world: &World) {
    // Spools that cannot be listed are the session's to complain about.
    if spool::all(&world.evidence().spool()).unwrap_or_default().is_empty() {
        return;
    }
    let told = match start(world).and_then(listen) {
        Ok(told) => told,
        Err(e) => return say!("bg-shell: warning: cannot run bg-shell recover: {e}"),
    };
    let until = Instant::now() + PATIENCE;
    for _ in 0..LINES_MAX {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) if line == DONE => return,
            Ok(line) => say!("{line}"),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => return say!("{GOES_ON}"),
        }
    }
}

/// Starts the one that recovers, by way of a process that ends at once: a session kills all descendants of its broker
/// at its end, and this one is to go on.
fn start(world: &World) -> io::Result<ChildStdout> {
    let mut starter = program(world).arg("--briefly").stdout(Stdio::piped()).spawn()?;
    let said = starter.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    if starter.wait()?.success() { Ok(said) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}

/// Starts it as nobody's child, with the pipe that this process has as its standard output.
///
/// # Errors
/// When the system has no process left.
pub fn beside(world: &World) -> io::Result<()> {
    program(world).arg("--beside").spawn().map(drop)
}

/// It has no terminal, and a process group of its own: a ^C is not for it.
fn program(world: &World) -> Command {
    let mut program = this_program();
    if let Some(config) = &world.environment.config {
        program.arg("--config").arg(config);
    }
    program.arg("recover").process_group(0).stdin(Stdio::null()).stderr(Stdio::null());
    program
}

/// Passes on what it says, in a thread.
fn listen(said: ChildStdout) -> io::Result<Receiver<String>> {
    let (tell, told) = channel();
    thread::Builder::new().name("orphans".into()).spawn(move || {
        let lines = BufReader::new(said).lines();
        // Nobody listens any more once the session has begun; the pipe is read to its end all the same.
        lines.map_while(Result::ok).for_each(|line| drop(tell.send(line)));
    })?;
    Ok(told)
}

/// What the child says last.
pub const DONE: &str = "done";
/// How many lines are told before a session's own, at most.
pub const LINES_MAX: usize = 3;
/// How long a session waits.
const PATIENCE: Duration = Duration::from_secs(3);
const GOES_ON: &str =
    "bg-shell: what killed sessions left is still being recovered, beside this one";
