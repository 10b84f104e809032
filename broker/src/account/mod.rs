//! The AWS account, as an access changes and asks it: one thin file a thing.

pub mod clock_check;
pub mod deny_policy;
pub mod gate;
pub mod hinge;
pub mod iam;
pub mod probe;
