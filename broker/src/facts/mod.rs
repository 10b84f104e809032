//! What happened around a session, written down before it has effects. Facts know no world.

pub mod claim;
pub mod docket;
pub mod intent;
