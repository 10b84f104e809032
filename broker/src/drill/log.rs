//! The steps of a drill, as they went.

use std::io;
use std::time::{Duration, Instant};

use bg_aws::fault::CallError;
use bg_recorder::facts::case::CaseError;
use bg_recorder::store::StoreError;
use serde::Serialize;

use crate::account::probe::NotProved;
use crate::failure::Failure;

#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What was done.
    pub step: String,
    /// How long it took; none: nothing was waited for.
    pub took_ms: Option<u64>,
    /// Whether it came out right.
    pub passed: bool,
    /// What was seen.
    pub saw: String,
}

/// All steps, and the two times that count.
#[derive(Debug, Default)]
pub struct Log {
    pub steps: Vec<Step>,
    /// From the request to the responder's first command.
    pub to_access_ms: Option<u64>,
    /// From the end to the proof that the access is denied.
    pub to_revoke_ms: Option<u64>,
}

/// Why a step went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// What was seen instead.
    #[error("{0}")]
    Saw(String),
    /// A command of ours could not be carried out.
    #[error("{0}")]
    Failed(Failure),
    /// A file or a process.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The evidence store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The facts around the session.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// What is stored is not what it should be.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// AWS refused, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// AWS did not answer as it should.
    #[error(transparent)]
    NotProved(#[from] NotProved),
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<&str> for Wrong {
    fn from(saw: &str) -> Self {
        Self::Saw(saw.to_owned())
    }
}

/// A step went wrong: what would follow has no sense. The log says it.
#[derive(Debug)]
pub struct Stopped;

impl Log {
    /// Takes a step: what comes of it, and what was seen.
    ///
    /// # Errors
    /// When it went wrong.
    pub fn step<T>(
        &mut self,
        step: &str,
        work: impl FnOnce() -> Result<(T, String), Wrong>,
    ) -> Result<T, Stopped> {
        let began = Instant::now();
        let done = work();
        let took_ms = Some(millis(began.elapsed()));
        let (passed, saw) = match &done {
            Ok((_, saw)) => (true, saw.clone()),
            Err(why) => (false, why.to_string()),
        };
        self.steps.push(Step { step: step.to_owned(), took_ms, passed, saw });
        done.map(|(result, _)| result).map_err(|_| Stopped)
    }

    /// Judges a time that was measured.
    pub fn limit(&mut self, step: &str, took_ms: Option<u64>, most: Duration) {
        let Some(took_ms) = took_ms else { return };
        let saw = format!("{} at the most", humantime::format_duration(most));
        let passed = took_ms <= millis(most);
        self.steps.push(Step { step: step.to_owned(), took_ms: Some(took_ms), passed, saw });
    }

    /// Returns whether all went right.
    pub fn passed(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.passed)
    }

    /// Returns it as a person reads it.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.steps.iter().map(|Step { step, took_ms, passed, saw }| {
            let verdict = if *passed { "ok" } else { "FAIL" };
            let took = took_ms.map_or_else(String::new, |ms| format!("{ms} ms"));
            format!("{verdict:5} {step:16} {took:>9}  {saw}")
        })
    }
}

/// Returns whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
