//! Clocks that jump, and sessions that are long: for these the real recorder, with a clock of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bg_recorder::clock::{Clock, SystemClock};
use bg_recorder::codec::Header;
use bg_recorder::dir::DirStore;
use bg_recorder::event::Event;
use bg_recorder::genesis::Limits;
use bg_recorder::keys::local::LocalKeys;
use bg_recorder::record::{Recorder, Setup};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use serde_json::{Map, Value};

use super::row::{Effort, Row, RunIn, Seen, grouped};
use super::stage::{Stage, missing};
use crate::support::clock::WallClock;
use crate::support::wait::until;

/// The rows.
pub const ROWS: &[Row] = &[
    row(
        "segments-10000",
        "a session of 10,000 segments (200 in the tests), each of a second",
        "every byte is on the tape",
        |effort| {
            let seconds = effort.pick(200, 10_000);
            let seen = session(seconds, |second| format!("second {second}\r\n"));
            seen.0.demand(seen.1 >= seconds, format!("{} segments", seen.1))
        },
    ),
    row(
        "idle-8-h",
        "nobody does anything for 8 hours (10 minutes in the tests)",
        "heartbeats date the tape, nothing else grows",
        |effort| {
            let seconds = effort.pick(600, 28_800);
            let last = |second| {
                if second == 0 { "the last for a long time\r\n".into() } else { String::new() }
            };
            let seen = session(seconds, last);
            let beats = seen.1.abs_diff(seconds / 10) <= seconds / 100 + 2;
            seen.0.demand(beats, format!("{} segments", seen.1))
        },
    ),
    row(
        "clock-steps",
        "the wall clock jumps an hour back, a day forward, and to 1990, in the middle of a session",
        "the session goes on; times on the tape never go back; every byte is on it",
        clock_steps,
    ),
];

const fn row(
    name: &'static str,
    injected: &'static str,
    must: &'static str,
    run: fn(Effort) -> Seen,
) -> Row {
    Row { name, injected, must, run_in: RunIn::Every, run }
}

/// The clock that the whole program reads, in the middle of a session; checkpoints tell that it has seen each step.
fn clock_steps(_: Effort) -> Seen {
    let stage = Stage::local();
    let mut driver = stage.dialogue();
    let Some(clock) = WallClock::of(driver.pid()) else { return Seen::skipped(CLOCK) };
    let now = SystemClock.wall_us() / 1_000_000;
    for step in [-3_600, 86_400, YEAR_1990 - i64::try_from(now).unwrap()] {
        clock.set(step);
        let there = now.saturating_add_signed(step);
        driver.send(format!("step {step}\r"));
        driver.wait_for(&format!("<step {step}>"));
        until("a checkpoint of that time", || {
            walls(&stage).iter().any(|wall| wall.abs_diff(there) < 600)
        });
    }
    driver.send("\x04");
    let seen = stage.seen(&mut driver);
    let in_order = stage.world.tape().events().is_sorted_by_key(|event| event.line.time_us);
    let went_on = seen.outcome.starts_with("exit 0");
    seen.demand(in_order, "times go back").demand(went_on, "the session did not go on")
}

/// Returns when, in seconds, the checkpoints say that they were made.
fn walls(stage: &Stage) -> Vec<u64> {
    let checkpoints =
        std::fs::read_dir(stage.world.tape().dir.join("checkpoints")).into_iter().flatten();
    let wall = |note: String| {
        let note: Value = serde_json::from_str(note.lines().nth(1)?).ok()?;
        serde_json::from_value::<Stamp>(note["wall"].clone()).ok().map(|wall| wall.0 / 1_000_000)
    };
    checkpoints
        .filter_map(|entry| wall(std::fs::read_to_string(entry.unwrap().path()).unwrap()))
        .collect()
}

/// Records a session of so many seconds, with some output in each; returns what was seen, and how many segments
/// there are.
fn session(steps: u64, output: impl Fn(u64) -> String) -> (Seen, u64) {
    let stage = Stage::local();
    let practice = stage.world.practice();
    let clock = Arc::new(Hand {
        wall_us: (SystemClock.wall_us() - steps * 1_100_000).into(),
        boot_us: 1_000_000_000.into(),
    });
    let setup = Setup {
        session: SessionId::mint(),
        about: Map::new(),
        cast: Header {
            version: 2,
            width: 80,
            height: 24,
            timestamp: 0,
            title: None,
            command: None,
            env: Value::Null,
        },
        host_name: "faults".into(),
        state: practice.root.clone(),
        spool: practice.spool(),
        store: Arc::new(DirStore::new(practice.evidence())),
        keys: Box::new(LocalKeys::open_or_create(&practice.keys()).unwrap()),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        limits: Limits::default(),
        begins: bg_recorder::record::Begins::Stored,
    };
    let mut recorder = Recorder::begin(setup).unwrap();
    let mut said = String::new();
    for second in 0..steps {
        let text = output(second);
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

const YEAR_1990: i64 = 631_152_000;
const CLOCK: &str = "it needs root, on x86-64";
