//! bg-shell: a recording shell proxy and session broker. A room names only rooms below it (tests/tests/layers.rs).
//! From the top down:

// What a person types.
pub mod cli;
mod commands;
mod usage;

// What the commands are made of.
mod doctor;
mod drill;
mod session;

// One session's access, its end, and what becomes known of it.
mod access;
mod closeout;
mod herald;
mod report;

// What those need.
mod account;
mod outage;
mod request;
mod world;

// Who is told, who holds the credentials, who proves to be who.
mod custody;
mod mfa;
mod notify;

// The ground.
pub mod config;
mod environment;
mod facts;
mod failure;
mod news;
mod os;

pub use cli::run;
