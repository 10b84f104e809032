//! The relay between a scripted keyboard, shell, screen, recorder, store and clock, through any interleaving of what
//! they do: nothing reaches the shell or the screen that the recorder has not accepted, each track keeps its order,
//! nothing is lost unsaid, nobody spins, and it always ends.
//!
//! The relay is linked as it is; a script stands behind each of its seams, down to poll(2) and the clock, so that a
//! run is one thread without a system call and comes out the same each time. `relay/script.rs` reads the input.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "relay/kernel.rs"]
mod kernel;
#[path = "relay/law.rs"]
mod law;
#[path = "relay/script.rs"]
mod script;
#[path = "relay/sides.rs"]
mod sides;
#[path = "relay/world.rs"]
mod world;

fuzz_target!(|bytes: &[u8]| script::play(bytes));
