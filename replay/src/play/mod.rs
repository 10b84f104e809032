//! Playing a tape on a terminal.

pub mod console;
pub mod keys;
pub mod pace;
pub mod player;
pub mod reel;
pub mod stage;
