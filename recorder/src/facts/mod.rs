//! What happened around a session, written down before it has effects. Whoever writes a fact says who they are; who
//! reads one needs no name.

pub mod case;
pub mod revocation;
