//! A row of the bench: what is injected, what must hold, what was seen.

/// A fault, and how it is tried out.
pub struct Row {
    /// Its name, once in the table.
    pub name: &'static str,
    /// What is injected.
    pub injected: &'static str,
    /// What must hold.
    pub must: &'static str,
    /// When it is run.
    pub run_in: RunIn,
    /// Tries it.
    pub run: fn(Effort) -> Seen,
}

/// Which runs a row is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunIn {
    /// Every run of the tests.
    Every,
    /// Only that which writes docs/FAULTS.md: it takes long.
    Full,
    /// Only one that names it: it takes very long, and much of the disk.
    Named,
}

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What a test run has time for.
    Short,
    /// What the page tells.
    Full,
}

impl Effort {
    /// Returns the one or the other.
    pub fn pick(self, short: u64, full: u64) -> u64 {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// How the session ended, and what else is worth telling.
    pub outcome: String,
    /// Bytes that the terminal was shown.
    pub shown_bytes: u64,
    /// Of these, how many are neither on the tape nor declared.
    pub lost_bytes: u64,
    /// What the two verifiers say, where there is a tape.
    pub verdicts: Vec<String>,
    /// Processes that live on.
    pub left: usize,
    /// What does not hold.
    pub wrong: Vec<String>,
    /// Why it could not be tried.
    pub skipped: Option<&'static str>,
}

impl Seen {
    /// Says that the fault cannot be injected here.
    pub fn skipped(why: &'static str) -> Self {
        Self { skipped: Some(why), ..Self::default() }
    }

    /// Demands something of this row alone.
    #[must_use]
    pub fn demand(mut self, holds: bool, what: impl Into<String>) -> Self {
        if !holds {
            self.wrong.push(what.into());
        }
        self
    }

    /// Adds something to the outcome.
    #[must_use]
    pub fn note(mut self, what: impl AsRef<str>) -> Self {
        if !self.outcome.is_empty() {
            self.outcome.push_str("; ");
        }
        self.outcome.push_str(what.as_ref());
        self
    }

    /// Returns whether all holds that must hold for every row, and for this one.
    pub fn holds(&self) -> bool {
        let whole = |verdict: &String| verdict == "intact" || verdict == "recovered";
        self.lost_bytes == 0
            && self.left == 0
            && self.wrong.is_empty()
            && self.verdicts.iter().all(whole)
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(why) = self.skipped {
            return write!(f, "not possible here: {why}");
        }
        write!(
            f,
            "{}; {} of {} bytes lost",
            self.outcome,
            self.lost_bytes,
            grouped(self.shown_bytes)
        )?;
        let mut kinds = self.verdicts.clone();
        kinds.sort_unstable();
        kinds.dedup();
        if !kinds.is_empty() {
            write!(f, "; both verifiers: {}", kinds.join(", "))?;
        }
        write!(f, "; {} processes left", self.left)?;
        self.wrong.iter().try_for_each(|wrong| write!(f, "; WRONG: {wrong}"))
    }
}

/// Writes a number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let groups: Vec<String> =
        (!head.is_empty()).then(|| head.to_owned()).into_iter().chain(groups).collect();
    groups.join(",")
}
