//! The vectors of docs/FORMAT.md: their file format, and the forge that makes them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a generator for tests: a panic is its error message, and its lists of vectors are tables"
)]

pub mod example;
pub mod faults;
pub mod forge;
pub mod people;
pub mod plea;
pub mod vector;
