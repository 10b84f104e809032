//! Much of something: output, time, memory.

use std::io::Read as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use bg_recorder::keys::local::LocalOpener;
use bg_recorder::reader::{Events, Reader};

use super::row::{Effort, Row, RunIn, Seen, grouped};
use super::stage::Stage;
use crate::support::process::resident_kib;
use crate::support::tape::Tape;
use crate::support::wait::within;
use crate::support::wire::{Fault, Wire};

/// The rows.
pub const ROWS: &[Row] = &[
    Row {
        name: "one-write-of-20-mb",
        injected: "a program hands 20 MB to one write(2)",
        must: "the session goes on; every byte is on the tape",
        run_in: RunIn::Every,
        run: |_| {
            let script = "exec dd if=/dev/zero bs=20000000 count=1 iflag=fullblock status=none";
            let stage = Stage::local();
            let seen = Flood::of(&stage, script).seen(&stage);
            let whole = seen.shown_bytes == 20_000_000;
            seen.demand(whole, "not all of it was shown")
        },
    },
    Row {
        name: "flood",
        injected: "a program writes as fast as it can: 2 GB (20 MB in the tests)",
        must: "the session goes on; every byte is on the tape; 32 MiB resident, 64 at most while the tape is shipped and verified at the end",
        run_in: RunIn::Every,
        run: flood,
    },
    Row {
        name: "flood-10-gb",
        injected: "a program writes 10 GB of a log as fast as it can",
        must: "the session goes on; every byte is on the tape; 32 MiB resident, 64 at most while the tape is shipped and verified at the end",
        run_in: RunIn::Named,
        run: flood_of_log,
    },
    Row {
        name: "black-hole-10-min",
        injected: "the store answers nothing while 600 MB are written at about 1 MB/s",
        must: "memory stays flat (32 MiB; 64 at most while shipping and verifying at the end), and the tape is complete afterwards",
        run_in: RunIn::Full,
        run: black_hole,
    },
];

fn flood(effort: Effort) -> Seen {
    let stage = Stage::local();
    let bytes = effort.pick(20_000_000, 2_000_000_000);
    let script = format!("yes 'a line of a log that says nothing new' | head -c {bytes}");
    let seen = Flood::of(&stage, &script).seen(&stage);
    let whole = seen.shown_bytes == bytes;
    seen.demand(whole, "not all of it was shown")
}

/// What differs from line to line is what is hard to compress in a log: times, ids, durations.
fn flood_of_log(_: Effort) -> Seen {
    let stage = Stage::local();
    let bytes = 10_000_000_000_u64;
    let mut text = String::new();
    let mut chance = 1_u64;
    while text.len() < 50_000_000 {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = chance >> 16;
        let took_ms = chance >> 54;
        let line = text.len() / 120;
        let time = format!(
            "{:02}:{:02}:{:02}.{:03}",
            line / 3_600_000,
            line / 60_000 % 60,
            line / 1_000 % 60,
            line % 1_000
        );
        text += &format!(
            "2026-11-23T{time}Z web-3 app[4711]: INFO request {id:012x} GET /orders/{took_ms} 200 in {took_ms} ms\n"
        );
    }
    std::fs::write(stage.world.home().join("log"), text).unwrap();
    let script = format!("while cat $HOME/log; do :; done 2>/dev/null | head -c {bytes}");
    let seen = Flood::of(&stage, &script).seen(&stage);
    let whole = seen.shown_bytes == bytes;
    let stored = stored_bytes(&stage.world.state().join("evidence"));
    seen.note(format!("{} bytes in the store", grouped(stored)))
        .demand(whole, "not all of it was shown")
}

fn stored_bytes(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let len = |entry: std::fs::DirEntry| match entry.metadata().unwrap() {
        meta if meta.is_dir() => stored_bytes(&entry.path()),
        meta => meta.len(),
    };
    entries.map(len).sum()
}

/// The store falls silent, a minute's worth of output is made each minute, and it comes back.
fn black_hole(effort: Effort) -> Seen {
    let (stage, wire) = Stage::on_s3();
    let seconds = effort.pick(5, 600);
    let go_on = stage.world.home().join("healed");
    let script = format!(
        "n=0; while test $n -lt {seconds}; do n=$((n+1)); head -c 750000 /dev/urandom | base64 | head -c 1000000; sleep 1; done; until test -e {}; do sleep 0.1; done",
        go_on.display()
    );
    let healer = |wire: &Wire, flood: &Flood| {
        let whole = seconds * 1_000_000;
        within(Duration::from_secs(seconds * 3 + 60), || {
            flood.shown.load(Ordering::Relaxed) >= whole
        });
        wire.heal();
        std::fs::write(&go_on, "").unwrap();
    };
    let flood = Flood::start(&stage, &script);
    until_shown(&flood, 1_000_000);
    wire.fault_all(Fault::BlackHole);
    let began = Instant::now();
    healer(&wire, &flood);
    let lasted = began.elapsed().as_secs();
    let seen = flood.join().seen(&stage);
    let whole = seen.shown_bytes == seconds * 1_000_000;
    seen.note(format!("{lasted} s of silence")).demand(whole, "not all of it was shown")
}

fn until_shown(flood: &Flood, bytes: u64) {
    crate::support::wait::until("output", || flood.shown.load(Ordering::Relaxed) >= bytes);
}

/// A session whose output is too much to keep: it is counted and hashed.
struct Flood {
    child: std::process::Child,
    shown: std::sync::Arc<AtomicU64>,
    reader: Option<thread::JoinHandle<Vec<u8>>>,
    memory: Option<thread::JoinHandle<Vec<u64>>>,
    ended: std::sync::Arc<AtomicBool>,
    began: Instant,
}

/// What came of it.
struct Flooded {
    status: Option<i32>,
    shown: u64,
    digest: Vec<u8>,
    resident_kib: Vec<u64>,
    lasted: Duration,
}

impl Flood {
    fn of(stage: &Stage, script: &str) -> Flooded {
        Self::start(stage, script).join()
    }

    fn start(stage: &Stage, script: &str) -> Self {
        let mut shell = stage.session(script);
        let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
        let shown = std::sync::Arc::<AtomicU64>::default();
        let ended = std::sync::Arc::<AtomicBool>::default();
        let mut out = child.stdout.take().unwrap();
        let count = std::sync::Arc::clone(&shown);
        let reader = thread::spawn(move || {
            let mut hash = Context::new(&SHA256);
            let mut bytes = vec![0; 65_536];
            while let Ok(len @ 1..) = out.read(&mut bytes) {
                hash.update(&bytes[..len]);
                count.fetch_add(len as u64, Ordering::Relaxed);
            }
            hash.finish().as_ref().to_vec()
        });
        let pid = child.id();
        let over = std::sync::Arc::clone(&ended);
        let memory = thread::spawn(move || {
            let mut samples = Vec::new();
            while !over.load(Ordering::Relaxed) {
                // Until it is executed, the process is a copy of this one.
                let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
                if program.ends_with("shell-under-test") {
                    samples.push(resident_kib(pid));
                }
                thread::park_timeout(Duration::from_millis(100));
            }
            samples
        });
        let began = Instant::now();
        Self { child, shown, reader: Some(reader), memory: Some(memory), ended, began }
    }

    fn join(mut self) -> Flooded {
        let digest = self.reader.take().unwrap().join().unwrap();
        self.ended.store(true, Ordering::Relaxed);
        // While it is not waited for, its memory can be looked at.
        let resident_kib = self.memory.take().unwrap().join().unwrap_or_default();
        let status = self.child.wait().unwrap().code();
        let shown = self.shown.load(Ordering::Relaxed);
        Flooded { status, shown, digest, resident_kib, lasted: self.began.elapsed() }
    }
}

impl Flooded {
    fn seen(self, stage: &Stage) -> Seen {
        let (seen, tapes) = stage.after(format!("exit {}", self.status.unwrap_or(-1)));
        let same = tapes
            .last()
            .is_some_and(|tape| digest_of_output(tape) == (self.shown, self.digest.clone()));
        let lost_bytes = if same { 0 } else { self.shown };
        let most = self.resident_kib.iter().max().copied().unwrap_or(0);
        let quarter = self.resident_kib.len() / 4;
        let median = |samples: &[u64]| {
            let mut samples = samples.to_vec();
            samples.sort_unstable();
            samples.get(samples.len() / 2).copied().unwrap_or(0)
        };
        let early = median(&self.resident_kib[quarter..quarter * 2]);
        let late = median(&self.resident_kib[self.resident_kib.len() - quarter..]);
        Seen { shown_bytes: self.shown, lost_bytes, ..seen }
            .demand(self.status == Some(0), stage.world.said())
            .demand(
                late.max(early) <= RESIDENT_MAX_KIB && most <= VERIFYING_MAX_KIB,
                format!("{most} KiB resident"),
            )
            .note(format!(
                "{:.0} s; resident: second quarter {} KiB, last quarter {} KiB, at most {} KiB in {} samples",
                self.lasted.as_secs_f64(),
                grouped(early),
                grouped(late),
                grouped(most),
                self.resident_kib.len()
            ))
    }
}

/// Returns the length and the SHA-256 of what a tape holds of output, without ever holding it.
fn digest_of_output(tape: &Tape) -> (u64, Vec<u8>) {
    let store = bg_recorder::dir::DirStore::new(&tape.dir);
    let objects = bg_recorder::tape::Tape::list(&store, "", tape.id().parse().ok()).unwrap();
    let opener = LocalOpener::from_file(&tape.practice.open_key()).unwrap();
    let report = tape.report();
    let mut events = Events::begin(Reader::begin(&objects, &report, &opener).unwrap()).unwrap();
    let mut hash = Context::new(&SHA256);
    let mut len = 0;
    while let Some(event) = events.event().unwrap() {
        if event.line.code == 'o' {
            hash.update(event.bytes());
            len += event.bytes().len() as u64;
        }
    }
    (len, hash.finish().as_ref().to_vec())
}

const RESIDENT_MAX_KIB: u64 = 32 * 1_024;
/// At the end, the whole tape is verified as it is in the store, read ahead.
const VERIFYING_MAX_KIB: u64 = 64 * 1_024;
