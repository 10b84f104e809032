//! What the tests stand on.

pub mod desk;
pub mod disk;
pub mod driver;
pub mod memory;
pub mod process;
pub mod random;
pub mod second;
pub mod tape;
pub mod wait;
pub mod world;
