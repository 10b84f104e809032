//! A practice world for tests, recorded into with the real recorder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bg_aws::archive::Archive;
use bg_recorder::clock::SystemClock;
use bg_recorder::codec::Header;
use bg_recorder::dir::DirStore;
use bg_recorder::event::Event;
use bg_recorder::genesis::Limits;
use bg_recorder::keys::local::LocalKeys;
use bg_recorder::practice::Practice;
use bg_recorder::record::{Begins, Recorder, Setup};
use bg_recorder::session::SessionId;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::evidence::auditor::Auditor;
use crate::evidence::catalog::Catalog;

/// A practice world in a directory that goes away.
pub struct Sample {
    _dir: tempfile::TempDir,
    practice: Practice,
}

impl Default for Sample {
    fn default() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let practice = Practice::find(Some(dir.path()), None).unwrap();
        Self { _dir: dir, practice }
    }
}

impl Sample {
    /// A reason that means no good.
    pub const REASON: &'static str = "\x1b]0;x\x07 \u{202e}evil";

    /// Records output chunks, each after so many milliseconds, and ends properly.
    pub fn record(&self, chunks: &[(&[u8], u64)]) -> SessionId {
        let events: Vec<_> = chunks.iter().map(|(bytes, ms)| (Event::Output(bytes), *ms)).collect();
        self.record_events(&events)
    }

    /// Records events, each after so many milliseconds, and ends properly.
    pub fn record_events(&self, events: &[(Event<'_>, u64)]) -> SessionId {
        let session = SessionId::mint();
        let mut recorder = Recorder::begin(self.setup(session)).unwrap();
        for (event, after_ms) in events {
            std::thread::sleep(Duration::from_millis(*after_ms));
            recorder.accept(*event).unwrap();
        }
        recorder.finish(Map::new(), Duration::from_secs(5)).unwrap();
        session
    }

    fn setup(&self, session: SessionId) -> Setup {
        let Value::Object(about) =
            json!({"user": "mallory", "reason": Self::REASON, "incident": null})
        else {
            unreachable!()
        };
        Setup {
            session,
            about,
            cast: Header {
                version: 2,
                width: 40,
                height: 10,
                timestamp: 0,
                title: None,
                command: None,
                env: json!({"TERM": "xterm"}),
            },
            host_name: "test".into(),
            state: self.practice.root.clone(),
            spool: self.practice.spool(),
            store: Arc::new(DirStore::new(self.evidence())),
            keys: Box::new(LocalKeys::open_or_create(&self.practice.keys()).unwrap()),
            clock: Arc::new(SystemClock),
            limits: Limits::default(),
            begins: Begins::Stored,
        }
    }

    /// Where the evidence is.
    pub fn evidence(&self) -> PathBuf {
        self.practice.evidence()
    }

    /// Where one tape is.
    pub fn tape_dir(&self, id: SessionId) -> PathBuf {
        let days = std::fs::read_dir(self.evidence().join("sessions")).unwrap();
        let mut at: Vec<PathBuf> = days.map(|entry| entry.unwrap().path()).collect();
        for _ in 0..2 {
            at = at
                .iter()
                .flat_map(|dir| std::fs::read_dir(dir).unwrap())
                .map(|entry| entry.unwrap().path())
                .collect();
        }
        at.into_iter().map(|day| day.join(id.to_string())).find(|path| path.exists()).unwrap()
    }

    /// An auditor of this world.
    pub fn auditor(&self) -> Auditor {
        Auditor {
            practice: Some(self.practice.clone()),
            config: Config::default(),
            trust: Vec::new(),
            kms_trust: None,
            key: None,
            allowed_signers: None,
        }
    }

    /// The tapes of this world.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(Archive::dir(self.evidence()))
    }
}
