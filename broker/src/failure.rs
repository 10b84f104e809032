//! How an error is told: one line with its whole chain, and a hint.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use bg_aws::fault;
use bg_recorder::cause::chain;

use crate::say::say;

/// Something that ends the program.
#[derive(Debug)]
pub struct Failure {
    what: String,
    source: Option<Box<dyn Error + 'static>>,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// Says what could not be done.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None, hint: None, code: FAILED }
    }

    /// Adds why.
    #[must_use]
    pub fn because(mut self, source: impl Error + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets another exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Tells the person at the terminal, and returns the exit code.
    pub fn report(&self) -> ExitCode {
        self.tell();
        ExitCode::from(self.code)
    }

    /// Tells the person at the terminal, where that ends nothing.
    pub fn tell(&self) {
        say!("bg-shell: error: {self}");
        // What AWS refused says more than where the call was made from.
        let refused = self.source.as_deref().and_then(fault::hint);
        let own = self.hint.iter().filter(|own| refused.as_ref() != Some(own));
        for hint in refused.iter().chain(own) {
            say!("bg-shell: hint: {hint}");
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(source) = self.source.as_deref() {
            write!(f, ": {}", chain(source))?;
        }
        Ok(())
    }
}

/// bg-shell itself failed, as with env(1) and timeout(1).
pub const FAILED: u8 = 125;
/// The command exists and cannot be run.
pub const NOT_EXECUTABLE: u8 = 126;
/// The command does not exist.
pub const NOT_FOUND: u8 = 127;
/// The session was revoked.
pub const REVOKED: u8 = 123;
/// The session's time was over, as with timeout(1).
pub const TIMED_OUT: u8 = 124;
/// Something is not finished, as with `bg-replay verify`: an access is pending.
pub const PENDING: u8 = 3;
