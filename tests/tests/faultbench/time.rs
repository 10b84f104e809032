//! Clocks that jump, and sessions that are long: the real recorder, with a clock of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bg_recorder::clock::{Clock, SystemClock};
use bg_recorder::codec::Header;
use bg_recorder::dir::DirStore;
use bg_recorder::event::Event;
use bg_recorder::genesis::Limits;
use bg_recorder::local_keys::LocalKeys;
use bg_recorder::recorder::{Recorder, Setup};
use bg_recorder::session::SessionId;
use serde_json::{Map, Value};

use super::row::{Effort, Row, RunIn, Seen, grouped};
use super::stage::{Stage, missing};

/// The rows.
pub const ROWS: &[Row] = &[
    row(
        "segments-10000",
        "a session of 10,000 segments (200 in the tests), each of a second",
        "every byte is on the tape",
        |effort| {
            let seconds = effort.pick(200, 10_000);
            let seen = session(seconds, |second, _| format!("second {second}\r\n"));
            seen.0.demand(seen.1 >= seconds, format!("{} segments", seen.1))
        },
    ),
    row(
        "idle-8-h",
        "nobody does anything for 8 hours (10 minutes in the tests)",
        "heartbeats date the tape, nothing else grows",
        |effort| {
            let seconds = effort.pick(600, 28_800);
            let last = |second, _: &Hand| {
                if second == 0 { "the last for a long time\r\n".into() } else { String::new() }
            };
            let seen = session(seconds, last);
            let beats = seen.1.abs_diff(seconds / 10) <= seconds / 100 + 2;
            seen.0.demand(beats, format!("{} segments", seen.1))
        },
    ),
    row(
        "clock-steps",
        "the wall clock jumps an hour back, a day forward, and to 1990: the recorder alone, with a clock of ours",
        "times on the tape never go back; every byte is on it",
        |_| {
            let seen = session(40, |second, clock| {
                match second {
                    10 => drop(clock.wall_us.fetch_sub(3_600_000_000, Ordering::Relaxed)),
                    20 => drop(clock.wall_us.fetch_add(86_400_000_000, Ordering::Relaxed)),
                    30 => clock.wall_us.store(631_152_000_000_000, Ordering::Relaxed),
                    _ => {}
                }
                format!("second {second}\r\n")
            });
            seen.0
        },
    ),
];

const fn row(name: &'static str, injected: &'static str, must: &'static str, run: fn(Effort) -> Seen) -> Row {
    Row { name, injected, must, run_in: RunIn::Every, run }
}

/// Records a session of so many seconds, with some output in each; returns what was seen, and how many segments
/// there are.
fn session(steps: u64, output: impl Fn(u64, &Hand) -> String) -> (Seen, u64) {
    let stage = Stage::local();
    let practice = stage.world.practice();
    let clock = Arc::new(Hand {
        wall_us: (SystemClock.wall_us() - steps * 1_100_000).into(),
        boot_us: 1_000_000_000.into(),
    });
    let setup = Setup {
        session: SessionId::mint(),
        about: Map::new(),
        cast: Header { version: 2, width: 80, height: 24, timestamp: 0, title: None, env: Value::Null },
        host_name: "faults".into(),
        state: practice.root.clone(),
        spool: practice.spool(),
        store: Arc::new(DirStore::new(practice.evidence())),
        keys: Box::new(LocalKeys::open_or_create(&practice.keys()).unwrap()),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        limits: Limits::default(),
        begins: bg_recorder::recorder::Begins::Stored,
    };
    let mut recorder = Recorder::begin(setup).unwrap();
    let mut said = String::new();
    for second in 0..steps {
        let text = output(second, &clock);
        recorder.accept(Event::Output(text.as_bytes())).unwrap();
        said += &text;
        clock.pass(1_001_000);
        recorder.tick().unwrap();
    }
    let closed = recorder.finish(Map::new(), Duration::from_secs(300)).unwrap();
    let (seen, tapes) = stage.after(format!("{} segments", grouped(closed.segments)));
    let events = tapes[0].events();
    let in_order = events.is_sorted_by_key(|event| event.line.time_us);
    let lost_bytes = missing(said.as_bytes(), &tapes[0].output());
    let seen = Seen { shown_bytes: said.len() as u64, lost_bytes, ..seen };
    (seen.demand(in_order, "times go back"), closed.segments)
}

/// A clock that is set by hand.
struct Hand {
    wall_us: AtomicU64,
    boot_us: AtomicU64,
}

impl Hand {
    fn pass(&self, us: u64) {
        self.wall_us.fetch_add(us, Ordering::Relaxed);
        self.boot_us.fetch_add(us, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn wall_us(&self) -> u64 {
        self.wall_us.load(Ordering::Relaxed)
    }

    fn boot_us(&self) -> u64 {
        self.boot_us.load(Ordering::Relaxed)
    }
}
