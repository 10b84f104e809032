//! AWS as the broker uses it: one thin file a service, each behind a trait of its caller.

pub mod sts;
