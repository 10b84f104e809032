//! What both programs say and find, each written once: a line for a person, an answer on standard output, a failure
//! with its hint, the configuration file, a duration, and "an id, the beginning of it, or `last`". And their ways in:
//! manual pages and completions.
//!
//! It knows neither program, and reads no environment: that is handed in.

// Others link this crate: what it offers says what it is.
#![warn(missing_docs)]

// What is said.
pub mod answer;
pub mod failure;
pub mod program;
pub mod say;
pub mod usage;

// What is found.
pub mod config;
pub mod duration;
pub mod named;
pub mod places;

// Ways in.
pub mod guide;

mod completion;
mod manual;
mod offer;
