//! What one check found.

use bg_aws::fault::{CallError, CallKind};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check, and of what.
    pub check: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen.
    pub saw: String,
    /// Why it matters; empty where all is well.
    pub why: String,
    /// What to do; empty where all is well.
    pub fix: String,
}

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Weak, or not looked at.
    Warn,
    /// Wrong.
    Fail,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(check: impl Into<String>, saw: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, saw, "", "")
    }

    /// It is weak.
    pub fn warn(
        check: impl Into<String>,
        saw: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Warn, saw, why, fix)
    }

    /// It is wrong.
    pub fn fail(
        check: impl Into<String>,
        saw: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Fail, saw, why, fix)
    }

    /// It could not be looked at, which is never ok; what is not there at all is wrong.
    pub fn unseen(check: impl Into<String>, error: &CallError) -> Self {
        let fix = match error.kind {
            CallKind::Denied | CallKind::ExplicitDeny => {
                format!("allow {} to who runs this: deploy/policies/doctor.json", error.action)
            }
            _ => error.hint().unwrap_or_else(|| "see what the service says".to_owned()),
        };
        if error.kind == CallKind::Missing {
            return Self::fail(check, error.to_string(), "what is not there protects nothing", fix);
        }
        let why = "what was not looked at may be wrong";
        Self::warn(check, format!("not looked at: {error}"), why, fix)
    }

    fn new(
        check: impl Into<String>,
        verdict: Verdict,
        saw: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { check: check.into(), verdict, saw: saw.into(), why: why.into(), fix: fix.into() }
    }

    /// Returns it as a person reads it.
    pub fn lines(&self) -> Vec<String> {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        let mut lines = vec![format!("{verdict:5} {:24} {}", self.check, self.saw)];
        for (word, text) in [("why:", &self.why), ("fix:", &self.fix)] {
            if !text.is_empty() {
                lines.push(format!("      {word:>24} {text}"));
            }
        }
        lines
    }
}
