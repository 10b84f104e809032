//! bg-replay: what an auditor does with tapes. A room names only rooms below it (tests/tests/layers.rs).
//! From the top down:

// The command line.
mod cli;

// Looking without opening, and hearing what was typed.
mod audit;
mod list;
mod seen;

// Playing, and taking along.
mod export;
mod play;
mod screen;

// The ground.
mod config;
mod evidence;
mod failure;
mod usage;

#[cfg(test)]
mod sample;

pub use cli::run;
