//! Black-box tests: the real binaries on real ptys, shells and files.

mod bytes;
mod campaign;
mod config;
mod crash;
mod hangup;
mod job;
mod nested;
mod program;
mod refusal;
mod session;
mod support;
mod terminal;
mod window;
