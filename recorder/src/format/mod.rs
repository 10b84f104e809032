//! The format, as docs/FORMAT.md has it: bytes in, bytes out. No file, no clock, no thread, no environment.

pub mod base64;
pub mod cause;
pub mod chain;
pub mod checkpoint;
pub mod closing;
pub mod codec;
pub mod epoch_key;
pub mod escape;
pub mod event;
pub mod genesis;
pub mod low_s;
pub mod neutral;
pub mod note;
pub mod once;
pub mod seal;
pub mod segment;
pub mod session;
pub mod sign;
pub mod stamp;
