//! An error with all its sources, in one line.

use std::error::Error;

/// Returns an error's text with those of its sources behind it: the edge prints the chain, once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
