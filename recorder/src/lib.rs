//! The bg-shell tape: a hash-chained, sealed asciicast log that anyone can verify and few can open.
//!
//! `docs/FORMAT.md` is the specification. A room names only rooms that stand above it here
//! (`tests/tests/layers.rs`):

// Others link this crate: what it offers says what it is.
#![warn(missing_docs)]

// Pure: bytes in, bytes out. What the page says.
pub mod format;

// Who asked, who approved: judged from bytes alone.
pub mod approval;

// The time; where objects are kept.
pub mod clock;
pub mod store;

// Who signs, mints and opens.
pub mod keys;

// Recording: spool first, then the store.
pub mod record;

// Verifying without a key, reading with one.
pub mod read;

// What happened around a session, beside its tape.
pub mod facts;

// What a killed session left behind.
pub mod recover;

// The words of the page are spoken everywhere: they have short names.
pub use format::{
    base64, cause, chain, checkpoint, closing, codec, escape, event, genesis, low_s, neutral, note,
    once, seal, segment, session, sign, stamp,
};
pub use keys::{practice, standby};
pub use read::{life, reader, verdict, verify};
pub use record::{clerk, cosign, epoch, host, ship, spool, sync};
pub use store::{abreast, ahead, dir, tape};
