//! What the tests stand on.

pub mod away;
pub mod bucket;
pub mod case;
pub mod cgroup;
pub mod clock;
pub mod desk;
pub mod disk;
pub mod driver;
pub mod emulator;
pub mod evidence;
pub mod field;
pub mod hook;
pub mod meddler;
pub mod memory;
pub mod process;
pub mod random;
pub mod resident;
pub mod sandbox;
pub mod second;
pub mod stack;
pub mod tape;
pub mod wait;
pub mod wire;
pub mod world;
