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
    pub mod relay;
    pub mod tap;
    #[path = "outage"]
    pub mod outage {
        pub mod ladder;
        pub use crate::stand_in::broker::letterbox;
    }
}
use broker::{outage, relay, tap};

/// What stands in for the rest, under the names by which the relay knows it.
#[path = "relay"]
mod stand_in {
    pub mod broker;
    pub mod kernel;
    pub mod law;
    pub mod script;
    pub mod world;
}
use stand_in::broker::{config, failure, herald, say, scribe};
use stand_in::kernel::{event, io, stdio, termios};

/// The rooms of what stands in.
mod os {
    pub use crate::stand_in::broker::{contain, pty, signals, terminal, worker};
}
mod custody {
    pub use crate::stand_in::broker::switch;
}

fuzz_target!(|bytes: &[u8]| stand_in::script::play(bytes));
