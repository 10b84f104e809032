//! The relay between a scripted keyboard, shell, screen, recorder, store and clock, through any interleaving of what
//! they do: nothing reaches the shell or the screen that the recorder has not accepted, each track keeps its order,
//! nothing is lost unsaid, nobody spins, and it always ends.
//!
//! The relay's own files are included by path; what it touches stands in for the real thing, down to poll(2) and the
//! clock, so that a run is one thread without a system call and comes out the same each time. `relay/script.rs` reads
//! the input.
#![no_main]

extern crate bg_fuzz as bg_recorder;
extern crate rustix as kernel;
extern crate self as rustix;

use libfuzzer_sys::fuzz_target;

/// The broker's own files: nobody else may name them.
#[path = "../../broker/src"]
#[allow(dead_code, reason = "the broker uses all of it")]
mod broker {
    pub mod deadline;
    pub mod ladder;
    pub mod outbox;
    pub mod relay;
    pub mod screen;
    pub mod tap;
}
use broker::{deadline, ladder, outbox, relay, screen, tap};

/// What stands in for the rest, under the names by which the relay knows it.
#[path = "relay"]
mod stand_in {
    pub mod broker;
    pub mod kernel;
    pub mod law;
    pub mod script;
    pub mod world;
}
use stand_in::broker::{
    config, contain, extension, failure, herald, pty, say, scribe, signals, switch, terminal, worker,
};
use stand_in::kernel::{event, io, stdio, termios};

fuzz_target!(|bytes: &[u8]| stand_in::script::play(bytes));
