//! A program, as far as its failures show which one it is.

use std::error::Error;
use std::process::ExitCode;

use crate::failure::Failure;
use crate::say::say;

/// What the two programs do not have in common.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// What each of its lines begins with.
    pub name: &'static str,
    /// The exit code of a failure that sets none.
    pub failed: u8,
    /// The exit code when nobody reads its answer any more, which then needs no word. None: that is a failure, too.
    pub hung_up: Option<u8>,
    /// Finds what to do about an error that is not ours: AWS refused something.
    pub advice: fn(&(dyn Error + 'static)) -> Option<String>,
}

impl Program {
    /// Tells the person at the terminal, and returns the exit code.
    pub fn report(&self, failure: &Failure) -> ExitCode {
        if let (true, Some(code)) = (failure.hung_up(), self.hung_up) {
            return ExitCode::from(code);
        }
        self.tell(failure);
        ExitCode::from(failure.code.unwrap_or(self.failed))
    }

    /// Tells the person at the terminal, where that ends nothing.
    pub fn tell(&self, failure: &Failure) {
        say!("{}: error: {failure}", self.name);
        self.hints(failure);
    }

    /// Tells it as a word, not as an error, with its hints.
    pub fn mention(&self, failure: &Failure) {
        say!("{}: {failure}", self.name);
        self.hints(failure);
    }

    /// Tells it as a warning, with its hints: it costs a part of the answer.
    pub fn warn(&self, failure: &Failure) {
        say!("{}: warning: {failure}", self.name);
        self.hints(failure);
    }

    /// Ends: with the code of what was done. That nobody took the answer changes it only where it would say that all is
    /// well: who asked did not hear it.
    pub fn end(&self, done: Result<ExitCode, Failure>, told: Result<(), Failure>) -> ExitCode {
        match (done, told) {
            (Ok(code), Ok(())) => code,
            (Ok(ExitCode::SUCCESS), Err(failure)) | (Err(failure), _) => self.report(&failure),
            (Ok(code), Err(failure)) => {
                self.report(&failure);
                code
            }
        }
    }

    /// What AWS refused says more than where the call was made from.
    fn hints(&self, failure: &Failure) {
        let refused = failure.source().and_then(self.advice);
        let own = failure.hint.iter().filter(|own| refused.as_ref() != Some(own));
        for hint in refused.iter().chain(own) {
            say!("{}: hint: {hint}", self.name);
        }
    }
}
