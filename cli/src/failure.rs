//! Why something was not done, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;

/// Something that was not done: what, why, and a hint. How it is told is the program's.
#[derive(Debug)]
pub struct Failure {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    pub(crate) hint: Option<String>,
    pub(crate) code: Option<u8>,
    hung_up: bool,
}

impl Failure {
    /// Says what could not be done.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None, hint: None, code: None, hung_up: false }
    }

    /// Standard output did not take what was written.
    pub fn stdout(source: io::Error) -> Self {
        let hung_up = source.kind() == io::ErrorKind::BrokenPipe;
        Self { hung_up, ..Self::new("cannot write to standard output").because(source) }
    }

    /// Adds why.
    #[must_use]
    pub fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Sets another exit code than the program has for failures.
    #[must_use]
    pub fn code(self, code: u8) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Returns whether nobody reads standard output any more.
    pub fn hung_up(&self) -> bool {
        self.hung_up
    }

    /// Returns what failed below, if anything did.
    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// What, and the whole chain of reasons once.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = self.what.clone();
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries put the cause into their own text as well.
            if !chain.ends_with(&text) {
                chain = format!("{chain}: {text}");
            }
            next = cause.source();
        }
        f.write_str(&chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_told_once() {
        let failure = Failure::new("cannot read x: denied").because(io::Error::other("denied"));
        assert_eq!(failure.to_string(), "cannot read x: denied");
        let failure = Failure::new("cannot read x").because(io::Error::other("denied"));
        assert_eq!(failure.to_string(), "cannot read x: denied");
    }

    #[test]
    fn a_closed_pipe_is_a_hangup_and_a_full_disk_is_none() {
        assert!(Failure::stdout(io::ErrorKind::BrokenPipe.into()).hung_up());
        assert!(!Failure::stdout(io::ErrorKind::StorageFull.into()).hung_up());
    }
}
