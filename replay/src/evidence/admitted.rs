//! A verified tape together with the key that opens it.

use std::time::Duration;

use bg_recorder::keys::KeyOpener;
use bg_recorder::reader::{Events, ReadError, Reader};
use bg_recorder::tape::Tape;
use bg_recorder::verdict::{Report, Verdict, Weight};

use crate::failure::{Failure, content};
use bg_cli::say::say;

/// How much of a tape may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it, or nothing.
    Whole,
    /// What is good, with what is missing marked.
    UpToBreak,
}

/// Gives out the events of a tape that was verified first, from the start, as often as asked.
pub struct Admitted<'a> {
    tape: &'a Tape<'a>,
    report: Report,
    opener: Box<dyn KeyOpener>,
}

impl<'a> Admitted<'a> {
    /// Takes a tape with its report, and refuses what may not be shown; only then asks for the key.
    ///
    /// # Errors
    /// When the tape is broken or nobody vouches for it, and `extent` wants all of it.
    pub fn admit(
        (tape, report): (&'a Tape<'a>, Report),
        opener: impl FnOnce(&Tape<'_>) -> Result<Box<dyn KeyOpener>, Failure>,
        extent: Extent,
    ) -> Result<Self, Failure> {
        match (report.verdict, extent) {
            (Verdict::Broken, Extent::Whole) => Err(content("the tape is broken, and is not shown")
                .hint("`bg-replay verify` says where; --up-to-break shows what links and is signed")),
            (Verdict::Unverifiable, Extent::Whole) => Err(Failure::new(unverifiable(&report)).hint(
                "give the signing key with --trust FILE; --up-to-break shows what can be read all the same",
            )),
            _ => Ok(Self { tape, report, opener: opener(tape)? }),
        }
    }

    /// Returns what verification found.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Returns the tape.
    pub fn tape(&self) -> &Tape<'a> {
        self.tape
    }

    /// Begins to read at the start.
    ///
    /// # Errors
    /// When the first frame does not open.
    pub fn events(&self) -> Result<Events<'_>, Failure> {
        let reader = Reader::begin(self.tape, &self.report, &*self.opener).map_err(unread)?;
        Events::begin(reader).map_err(unread)
    }

    /// Says on standard error that only a part is shown.
    pub fn warn(&self) {
        if self.report.verdict == Verdict::Broken {
            let frames = self.report.frames;
            let unsigned = self.report.unsigned;
            say!(
                "bg-replay: warning: the tape is broken: shown are the {frames} frames that link and are signed, and {unsigned} that only link"
            );
            for finding in self.report.findings.iter().filter(|one| one.weight >= Weight::Fault) {
                say!("bg-replay: warning: {}: {}", finding.object, finding.what);
            }
        } else if self.report.verdict == Verdict::Unverifiable {
            say!("bg-replay: warning: {}", unverifiable(&self.report));
        }
    }
}

impl std::fmt::Debug for Admitted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Admitted({:?}, {})", self.tape, self.report.verdict)
    }
}

/// Turns a failed read into what it means for the command.
pub fn unread(error: ReadError) -> Failure {
    match error {
        ReadError::Key(_) => Failure::new("cannot open the tape with this key")
            .because(error)
            .hint("opening takes the auditor's AWS profile ([aws] profile), or --key FILE with the opening key of the world that recorded it; what was recorded while KMS was away opens with the escrow key"),
        ReadError::Store(_) => Failure::new("cannot read the tape").because(error),
        ReadError::Empty => content("there is nothing to show: the tape has no frame"),
        _ => content("cannot read the tape").because(error).hint("`bg-replay verify` says more"),
    }
}

/// Returns seconds with milliseconds.
pub fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn unverifiable(report: &Report) -> String {
    let first = report.findings.iter().find(|finding| finding.weight == Weight::Unread);
    format!("the tape is unverifiable: {}", first.map_or("", |finding| &finding.what))
}
