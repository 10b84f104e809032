//! bg-replay: what an auditor does with tapes. In reading order:

// The command line, and how it fails.
mod cli;
mod config;
mod failure;
mod usage;

// What the auditor has: tapes, trust, an opening key.
mod auditor;
mod catalog;
mod fetch;
mod glance;
mod surplus;
mod vault;

// Looking without opening.
mod audit;
mod list;
mod roll;

// Text that came from a tape, made harmless.
use bg_recorder::neutral;

// Playing.
mod console;
mod keys;
mod pace;
mod paint;
mod player;
mod reel;
mod screen;
mod stage;

// Taking along.
mod cat;
mod export;
mod sink;

#[cfg(test)]
mod sample;

pub use cli::run;
