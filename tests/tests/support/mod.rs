//! What the tests stand on.

pub mod bucket;
pub mod disk;
pub mod driver;
pub mod emulator;
pub mod memory;
pub mod process;
pub mod proxy;
pub mod second;
pub mod tape;
pub mod wait;
pub mod world;
