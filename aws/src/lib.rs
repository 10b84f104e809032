//! AWS, at the edge: how it is reached, what its refusals mean, the evidence store on S3, the keys in KMS.
//!
//! Everything here is called from threads and waits: the one runtime is inside. In reading order:

pub mod edge;
pub mod fault;
pub mod journal;

pub mod kms;
pub mod s3;

pub mod evidence;
