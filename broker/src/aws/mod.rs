//! AWS as an access needs it: one thin file a service.

pub mod iam;
pub mod sts;
