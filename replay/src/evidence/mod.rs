//! What the auditor has: tapes, trust, an opening key, and what a look at the store tells.

pub mod admitted;
pub mod auditor;
pub mod catalog;
pub mod fetch;
pub mod glance;
pub mod known;
pub mod roll;
pub mod surplus;
pub mod versions;
