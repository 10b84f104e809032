//! The bg-shell tape: a hash-chained, sealed asciicast log that anyone can verify and few can open.
//!
//! `docs/FORMAT.md` is the specification. In reading order:

// Pure: bytes in, bytes out.
pub mod base64;
pub mod cause;
pub mod chain;
pub mod codec;
pub mod escape;
pub mod event;
pub mod low_s;
pub mod neutral;
pub mod note;
pub mod once;
pub mod seal;
pub mod segment;
pub mod session;

// What the notes say, and who signs them.
pub mod checkpoint;
pub mod closing;
pub mod genesis;
pub mod keys;
pub mod sign;

// Who asked, who approved.
pub mod approval;

// Recording: spool first, then the store.
pub mod clerk;
pub mod clock;
pub mod cosign;
pub mod epoch;
pub mod host;
pub mod recorder;
pub mod ship;
pub mod spool;
pub mod sync;

// Where tapes are kept, and how they are read again.
pub mod ahead;
pub mod dir;
pub mod local_keys;
pub mod practice;
pub mod reader;
pub mod recover;
pub mod standby;
pub mod store;
pub mod tape;
pub mod verdict;
pub mod verify;
