//! What the command lines of both programs share.

pub mod guide;

mod completion;
mod manual;
mod offer;
