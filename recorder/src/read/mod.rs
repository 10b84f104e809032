//! A tape, read again: verified without a key, opened with one.

pub mod life;
pub mod reader;
pub mod verdict;
pub mod verify;
