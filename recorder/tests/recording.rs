//! A recorder with a clock that the test turns: heartbeats, epochs, cosignatures, gaps, all read back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bg_recorder::checkpoint::Checkpoint;
use bg_recorder::clock::Clock;
use bg_recorder::codec::Header as CastHeader;
use bg_recorder::dir::DirStore;
use bg_recorder::event::{Event, KeyState, Notice};
use bg_recorder::genesis::Limits;
use bg_recorder::keys::local::{LocalKeys, LocalOpener};
use bg_recorder::keys::{KeyError, KeyRing, KeyService, MintedKey, WrapContext};
use bg_recorder::note::{Note, NoteKind};
use bg_recorder::practice::Practice;
use bg_recorder::reader::{Events, Reader, TapeEvent};
use bg_recorder::record::{Begins, Recorder, Setup};
use bg_recorder::recover::owner::NotOurs;
use bg_recorder::recover::{RecoverError, recover_all};
use bg_recorder::segment::Header;
use bg_recorder::session::{ObjectName, SessionId};
use bg_recorder::stamp::Stamp;
use bg_recorder::standby::Standby;
use bg_recorder::store::ObjectStore;
use bg_recorder::tape::Tape;
use bg_recorder::verdict::Report;
use bg_recorder::verify::verify;
use serde_json::{Map, Value};

/// Microseconds that pass only when the test says so.
#[derive(Default)]
struct Hands(AtomicU64);

impl Hands {
    fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn wall_us(&self) -> u64 {
        1_795_413_600_000_000 + self.0.load(Ordering::Relaxed)
    }

    fn boot_us(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<Hands>,
    session: SessionId,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(Hands::default()),
            session: SessionId::mint(),
        }
    }

    fn practice(&self) -> Practice {
        Practice { root: self.dir.path().join("bg-shell") }
    }

    fn begin(&self) -> Recorder {
        self.begin_with(Box::new(LocalKeys::open_or_create(&self.practice().keys()).unwrap()))
    }

    fn begin_with(&self, keys: Box<dyn KeyService>) -> Recorder {
        let practice = self.practice();
        Recorder::begin(Setup {
            session: self.session,
            about: Map::new(),
            cast: CastHeader {
                version: 2,
                width: 80,
                height: 24,
                timestamp: 0,
                title: None,
                command: None,
                env: Value::Null,
            },
            host_name: "bench".into(),
            state: practice.root.clone(),
            spool: practice.spool(),
            store: Arc::new(DirStore::new(practice.evidence())),
            keys,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            limits: Limits::default(),
            begins: Begins::Stored,
        })
        .unwrap()
    }

    fn recover(&self) -> Result<Report, RecoverError> {
        let practice = self.practice();
        let store: Arc<dyn ObjectStore> = Arc::new(DirStore::new(practice.evidence()));
        let keys = LocalKeys::open_or_create(&practice.keys()).unwrap();
        let (spool, state) = (practice.spool(), &practice.root);
        let mut all = recover_all(&spool, state, &store, &keys, &*self.clock).unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).outcome
    }

    fn tape_dir(&self) -> PathBuf {
        let prefix = self.session.prefix(Stamp(1_795_413_600_000_000));
        self.practice().evidence().join(prefix)
    }

    fn look<T>(&self, look: impl FnOnce(&Tape<'_>, &Report, &Path) -> T) -> T {
        let practice = self.practice();
        let store = DirStore::new(practice.evidence());
        let tape = Tape::list(
            &store,
            &self.session.prefix(Stamp(1_795_413_600_000_000)),
            Some(self.session),
        )
        .unwrap();
        let keys = LocalKeys::open_or_create(&practice.keys()).unwrap();
        let report = verify(&tape, std::slice::from_ref(&keys.ring().sign), self.clock.wall_us());
        look(&tape, &report, &practice.open_key())
    }

    fn finish(&self, recorder: Recorder) -> Vec<TapeEvent> {
        recorder.finish(Map::new(), Duration::from_secs(60)).unwrap();
        self.look(|tape, report, key| {
            assert_eq!(report.verdict.to_string(), "intact", "{report:?}");
            let opener = LocalOpener::from_file(key).unwrap();
            let mut events = Events::begin(Reader::begin(tape, report, &opener).unwrap()).unwrap();
            let mut all = Vec::new();
            while let Some(event) = events.event().unwrap() {
                all.push(event);
            }
            all
        })
    }
}

/// A key service that may be away, with a standby key beside it.
struct Absent {
    keys: LocalKeys,
    ring: KeyRing,
    away: Arc<AtomicBool>,
}

impl KeyService for Absent {
    fn ring(&self) -> &KeyRing {
        &self.ring
    }

    fn mint(&self, context: &WrapContext) -> Result<MintedKey, KeyError> {
        let alone = self.away.load(Ordering::Relaxed).then(|| "away".to_owned());
        Ok(MintedKey { alone, ..self.keys.mint(context)? })
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(KeyError::Unavailable("away".into()));
        }
        self.keys.sign(text)
    }
}

fn header(tape: &Tape<'_>, n: u64) -> Header {
    Header::decode(&tape.get(ObjectName::Segment(n)).unwrap()).unwrap().0
}

#[test]
fn an_event_without_bytes_leaves_no_frame() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    recorder.accept(Event::Output(b"")).unwrap();
    recorder.accept(Event::Output(b"x")).unwrap();
    assert_eq!(bench.finish(recorder).len(), 1);
}

#[test]
fn an_idle_session_ships_a_heartbeat_every_ten_seconds() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    bench.clock.pass(1);
    recorder.tick().unwrap();
    for _ in 0..4 {
        assert_eq!(recorder.next_tick_ms(), 10_000);
        bench.clock.pass(10);
        recorder.tick().unwrap();
    }
    bench.finish(recorder);
    bench.look(|tape, _, _| {
        let opened: Vec<u64> = (0..tape.segments()).map(|n| header(tape, n).boot_us).collect();
        assert_eq!(opened, [0, 11_000_000, 21_000_000, 31_000_000, 41_000_000]);
    });
}

#[test]
fn a_segment_closes_after_a_second_and_the_frame_after_it_opens_the_next() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    recorder.accept(Event::Output(b"a")).unwrap();
    assert_eq!(recorder.next_tick_ms(), 1_000);
    bench.clock.pass(1);
    assert_eq!(recorder.next_tick_ms(), 0);
    recorder.accept(Event::Output(b"b")).unwrap();
    let events = bench.finish(recorder);
    assert_eq!(events.iter().map(|event| event.line.data.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    bench.look(|tape, _, _| assert_eq!(header(tape, 1).step, 1));
}

#[test]
fn an_active_session_gets_a_new_epoch_every_minute_and_all_of_it_opens() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    for second in 0..180 {
        recorder.accept(Event::Output(format!("{second};").as_bytes())).unwrap();
        bench.clock.pass(1);
        recorder.tick().unwrap();
        // The clerk answers on its own time; a session that types on gets the epoch a segment later.
        std::thread::yield_now();
    }
    let text: String = bench.finish(recorder).into_iter().map(|event| event.line.data).collect();
    assert_eq!(text, (0..180).map(|second| format!("{second};")).collect::<String>());
    bench.look(|tape, _, _| {
        let last = header(tape, tape.segments() - 1).epoch;
        assert!((1..=3).contains(&last), "{last}");
        let first = (0..tape.segments()).find(|n| header(tape, *n).epoch == 1).unwrap();
        let keys = header(tape, first).keys.unwrap();
        assert!(keys.minted < first, "minted ahead: {} for {first}", keys.minted);
    });
}

#[test]
fn a_checkpoint_carries_the_cosignature_of_an_earlier_one() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    let cosigned = |tape: &Tape<'_>| {
        (0..tape.checkpoints()).any(|n| {
            let bytes = tape.get(ObjectName::Checkpoint(n)).unwrap();
            let checkpoint: Checkpoint =
                Note::parse(NoteKind::Checkpoint, &bytes).unwrap().read().unwrap();
            checkpoint.cosigned.is_some_and(|cosigned| cosigned.checkpoint < n)
        })
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !bench.look(|tape, _, _| cosigned(tape)) {
        assert!(std::time::Instant::now() < deadline);
        recorder.accept(Event::Output(b".")).unwrap();
        bench.clock.pass(1);
        recorder.tick().unwrap();
    }
    bench.finish(recorder);
}

#[test]
fn a_gap_stands_on_the_tape_and_in_the_seal() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    recorder.declare_gap(7, "a test").unwrap();
    let events = bench.finish(recorder);
    assert!(
        events.iter().any(|event| event.line.code == 'N' && event.line.data.contains("\"gap\""))
    );
    bench.look(|_, report, _| {
        assert!(
            report.findings.iter().any(|finding| finding.what.contains("7 bytes: a test")),
            "{report:?}"
        );
    });
}

#[test]
fn a_recorder_that_is_dropped_leaves_an_orphan_that_recovers_whole() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    recorder.accept(Event::Output(b"released")).unwrap();
    drop(recorder);
    let report = bench.recover().unwrap();
    assert_eq!(
        (report.verdict.to_string().as_str(), report.frames),
        ("recovered", 2),
        "{report:?}"
    );
}

#[test]
fn a_spool_without_its_recorders_mark_waits_until_the_session_was_not_heard_of() {
    let bench = Bench::new();
    let mut recorder = bench.begin();
    recorder.accept(Event::Output(b"released")).unwrap();
    bench.clock.pass(20);
    recorder.accept(Event::Output(b"more")).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while bench.look(|tape, _, _| tape.checkpoints()) == 0 {
        assert!(std::time::Instant::now() < deadline);
    }
    drop(recorder);
    let spool = bench.practice().spool().join(bench.session.to_string());
    std::fs::write(spool.join("lock"), "somebody else's").unwrap();
    let alive = |outcome: &Result<Report, RecoverError>| {
        matches!(outcome, Err(RecoverError::NotOurs(NotOurs::Alive(_))))
    };
    assert!(alive(&bench.recover()));
    bench.clock.pass(29);
    assert!(alive(&bench.recover()), "its checkpoint was made 29 s ago");
    bench.clock.pass(1);
    // What anybody can write says nothing of the session.
    let (signed, planted) =
        [0, 1].map(|n| bench.tape_dir().join(format!("checkpoints/{n:010}"))).into();
    let now = bench.clock.now().to_string();
    let text = std::fs::read_to_string(signed).unwrap();
    let (before, after) = text.split_once("\"wall\":\"").unwrap();
    let after = after.split_once('"').unwrap().1;
    std::fs::write(planted, format!("{before}\"wall\":\"{now}\"{after}")).unwrap();
    assert!(!alive(&bench.recover()));
}

#[test]
fn where_the_keys_come_from_is_told_each_time_that_it_changes_and_the_standby_key_seals() {
    let bench = Bench::new();
    let keys = LocalKeys::open_or_create(&bench.practice().keys()).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/keys/standby.pem");
    let standby = Some(Arc::new(Standby::from_file(&file).unwrap()));
    let ring = KeyRing { standby, ..keys.ring().clone() };
    let away = Arc::new(AtomicBool::new(false));
    let mut recorder = bench.begin_with(Box::new(Absent { keys, ring, away: Arc::clone(&away) }));
    let watch = recorder.key_watch();
    assert_eq!(watch.news(), None);
    for state in [KeyState::Escrow, KeyState::Service, KeyState::Escrow] {
        away.store(state == KeyState::Escrow, Ordering::Relaxed);
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        let news = loop {
            assert!(std::time::Instant::now() < deadline);
            recorder.accept(Event::Output(b".")).unwrap();
            bench.clock.pass(1);
            recorder.tick().unwrap();
            if let Some(news) = watch.news() {
                break news;
            }
        };
        assert!(matches!(news, Notice::Keys { state: told, .. } if told == state), "{news:?}");
    }
    bench.finish(recorder);
    bench.look(|_, report, _| {
        assert!(
            report
                .findings
                .iter()
                .any(|finding| finding.what.starts_with("sealed by the standby key"))
        );
    });
}
