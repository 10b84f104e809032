//! Black-box tests: the real binaries on real ptys, shells and files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and what it prints stands beside that"
)]

mod access;
mod account;
mod adversity;
mod agreement;
mod approvals;
mod bucket;
mod bytes;
mod campaign;
mod cast;
mod chroot;
mod closeout;
mod cloud;
mod config;
mod contain;
mod crash;
mod deadline;
mod deploy;
mod disk;
mod doctor;
mod drill;
mod evidence;
mod extension;
mod faultbench;
mod guide;
mod hangup;
mod input;
mod job;
mod junk;
mod keyless;
mod ladder;
mod layers;
mod mutation;
mod nested;
mod notify;
mod orphans;
mod outage;
mod pages;
mod printing;
mod program;
mod refusal;
mod replay;
mod report;
mod requests;
mod revoke;
mod sandbox;
mod secrets;
mod session;
mod sshsig;
mod stack;
mod subreaper;
mod support;
mod taped;
mod terminal;
mod tools;
mod variables;
mod vectors;
mod window;
