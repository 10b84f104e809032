//! The relay: one loop between a terminal and a shell, and nothing reaches either before the recorder has accepted it.
//!
//! What it touches are seams: the kernel, the terminal, the session, the tape, and those who may end or lengthen a
//! session. Who runs it brings them; the fuzz target brings a script. In reading order:

// Others link this crate: what it offers says what it is.
#![warn(missing_docs)]

// What the loop stands on.
pub mod kernel;
pub mod outside;
pub mod session;
pub mod tape;
pub mod terminal;

// The loop.
pub mod run;

// What it is made of.
pub mod deadline;
pub mod ladder;
pub mod modes;
pub mod question;
pub mod screen;
pub mod to_shell;

// Two threads beside it, and what listens to it.
pub mod scribe;
pub mod tap;
pub mod worker;

pub use run::{Cause, Outcome, Relay, Secrets};
