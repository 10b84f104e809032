//! Why a command did not do what was asked, and what to do about it.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use bg_aws::fault;

use bg_recorder::neutral::neutral;

/// A failed operation: its kind decides the exit code, its hint says what to do.
#[derive(Debug)]
pub struct Failure {
    /// What kind of failure.
    pub kind: Kind,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    hint: Option<String>,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something about the content: a broken tape.
    Content,
    /// Could not look: a missing file, key or right, or a wrong command line.
    Blind,
    /// Nobody reads our output any more.
    Hangup,
}

impl Failure {
    /// Something about the content.
    pub fn content(what: impl Into<String>) -> Self {
        Self { kind: Kind::Content, what: what.into(), source: None, hint: None }
    }

    /// Could not look.
    pub fn blind(what: impl Into<String>) -> Self {
        Self { kind: Kind::Blind, ..Self::content(what) }
    }

    /// Standard output did not take what was written.
    pub fn stdout(source: io::Error) -> Self {
        let failure = Self::blind("cannot write to standard output");
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self { kind: Kind::Hangup, ..failure },
            _ => failure.because(source),
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns the lines for standard error: the chain once, then the hint.
    pub fn lines(&self) -> String {
        let mut chain = self.what.clone();
        let mut next = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries put the cause into their own text as well.
            if !chain.ends_with(&text) {
                chain = format!("{chain}: {text}");
            }
            next = cause.source();
        }
        // What AWS refused says more than where the call was made from.
        let refused = self.source.as_deref().and_then(|source| fault::hint(source));
        let hints = refused.iter().chain(&self.hint);
        let hints: String =
            hints.map(|hint| format!("bg-replay: hint: {}\n", neutral(hint))).collect();
        format!("bg-replay: error: {}\n{hints}", neutral(&chain))
    }

    /// Says it on standard error, and returns the exit code.
    pub fn report(&self) -> ExitCode {
        if self.kind != Kind::Hangup {
            eprint!("{}", self.lines());
        }
        match self.kind {
            Kind::Content => ExitCode::from(1),
            Kind::Blind => ExitCode::from(2),
            Kind::Hangup => ExitCode::SUCCESS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_told_once() {
        let failure =
            Failure::blind("cannot read x: denied").because(io::Error::other("denied")).hint("ask");
        assert_eq!(
            failure.lines(),
            "bg-replay: error: cannot read x: denied\nbg-replay: hint: ask\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_quiet() {
        assert_eq!(Failure::stdout(io::ErrorKind::BrokenPipe.into()).kind, Kind::Hangup);
        assert_eq!(Failure::stdout(io::ErrorKind::StorageFull.into()).kind, Kind::Blind);
    }
}
