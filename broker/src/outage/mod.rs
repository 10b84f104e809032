//! What a session may do while its evidence cannot be stored.

pub mod extended;
pub mod letterbox;
