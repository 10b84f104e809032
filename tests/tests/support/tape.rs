//! A tape, read as an auditor who has the opening key reads it.

use std::path::PathBuf;

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::dir::DirStore;
use bg_recorder::keys::local::LocalOpener;
use bg_recorder::keys::pem::read_signing_public;
use bg_recorder::practice::Practice;
use bg_recorder::reader::{Events, Reader, TapeEvent};
use bg_recorder::verdict::Report;
use bg_recorder::verify::verify;
use serde_json::Value;

/// One session's evidence.
#[derive(Debug, Clone)]
pub struct Tape {
    /// Its directory in the store.
    pub dir: PathBuf,
    /// The world that holds its keys.
    pub practice: Practice,
}

impl Tape {
    /// Returns the session id, as its place has it.
    pub fn id(&self) -> String {
        self.dir.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Returns the number of the last segment that has its checkpoint in the store.
    pub fn last(&self) -> Option<u64> {
        let checkpoints = std::fs::read_dir(self.dir.join("checkpoints")).ok()?;
        checkpoints.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).max()
    }

    /// Returns what a verifier says who trusts this world's signing key.
    pub fn report(&self) -> Report {
        let store = DirStore::new(&self.dir);
        let tape = bg_recorder::tape::Tape::list(&store, "", self.id().parse().ok()).unwrap();
        verify(
            &tape,
            &[read_signing_public(&self.practice.trust_key()).unwrap()],
            SystemClock.wall_us(),
        )
    }

    /// Returns its one word.
    pub fn verdict(&self) -> String {
        self.report().verdict.to_string()
    }

    /// Asserts that nothing is wrong with it.
    pub fn assert_intact(&self) {
        let report = self.report();
        assert!(report.verdict.to_string() == "intact" && report.findings.is_empty(), "{report:?}");
    }

    /// Returns all events, opened; none where the recorder died before its first frame.
    pub fn events(&self) -> Vec<TapeEvent> {
        let store = DirStore::new(&self.dir);
        let tape = bg_recorder::tape::Tape::list(&store, "", self.id().parse().ok()).unwrap();
        let opener = LocalOpener::from_file(&self.practice.open_key()).unwrap();
        let report = self.report();
        if report.frames + report.unsigned == 0 {
            return Vec::new();
        }
        let reader = Reader::begin(&tape, &report, &opener).unwrap();
        let mut events = Events::begin(reader).unwrap();
        std::iter::from_fn(|| events.event().unwrap()).collect()
    }

    /// Returns the exact bytes of one code's events, one after the other.
    pub fn bytes(&self, code: char) -> Vec<u8> {
        let events = self.events();
        events
            .iter()
            .filter(|event| event.line.code == code)
            .flat_map(TapeEvent::bytes)
            .copied()
            .collect()
    }

    /// Returns what the session wrote.
    pub fn output(&self) -> Vec<u8> {
        self.bytes('o')
    }

    /// Returns what was typed.
    pub fn input(&self) -> Vec<u8> {
        self.bytes('i')
    }

    /// Returns the notices of a kind.
    pub fn notices(&self, kind: &str) -> Vec<Value> {
        let events = self.events();
        let notices = events.iter().filter(|event| event.line.code == 'N');
        let notices = notices.map(|event| serde_json::from_str::<Value>(&event.line.data).unwrap());
        notices.filter(|notice| notice["kind"] == kind).collect()
    }

    /// Returns the JSON of a signed note: `genesis`, `seal`, `recovery`.
    pub fn note(&self, name: &str) -> Value {
        let note =
            std::fs::read_to_string(self.dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        serde_json::from_str(note.lines().nth(1).unwrap()).unwrap()
    }
}
