//! The edges of the system: pty, terminal, signals, processes. The only room with unsafe code.

pub mod afresh;
pub mod cgroup;
pub mod contain;
pub mod family;
pub mod guard;
#[cfg(test)]
pub mod hands;
pub mod inlet;
pub mod inner;
pub mod keeper;
pub mod kernel;
pub mod keyboard;
pub mod mask;
pub mod pty;
pub mod pulse;
pub mod raw;
pub mod signals;
pub mod terminal;
pub mod user;
pub mod variables;
pub mod words;
