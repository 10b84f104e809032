//! What a session may do while its evidence cannot be stored.

pub mod granted;
pub mod letterbox;
