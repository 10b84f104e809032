//! bg-shell: a recording shell proxy and session broker. In reading order:

// Who asks, what is configured: the only readers of the environment.
pub mod cli;
pub mod config;
mod failure;
mod say;

// One session from start to end.
mod open;
mod session;
mod summary;

// The loop between terminal and shell: record before release.
mod deadline;
mod outbox;
mod relay;
mod screen;
mod scribe;
mod worker;

// The system's edges.
mod contain;
mod keeper;
mod pty;
mod signals;
mod terminal;
mod user;

// After a crash.
mod recover;

pub use cli::run;
