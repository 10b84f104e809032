//! AWS, at the edge: how it is reached, what its refusals mean, the evidence store on S3, the keys in KMS.
//!
//! Everything here is called from threads and waits: the one runtime is inside. In reading order:

pub mod attempts;
pub mod edge;
pub mod fault;
pub mod journal;

pub mod kms;
pub mod kms_open;
mod patience;
mod profiles;
mod renewed;
mod runtime;
pub mod s3;
mod settings;
pub mod surplus;

pub mod archive;
pub mod evidence;
