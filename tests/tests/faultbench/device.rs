//! Devices that fail: calls that come back with EIO, and a device that stops taking what was written.

use super::row::{Effort, Row, RunIn, Seen};
use super::stage::Stage;
use crate::support::disk::Device;
use crate::support::driver::Driver;
use crate::support::meddler::Meddler;
use crate::support::wait::until;
use crate::support::world::stderr;

/// The rows.
pub const ROWS: &[Row] = &[
    row(
        "disk-eio-frame",
        "from one moment of a flood on, every write of a frame is EIO",
        "the session ends and says why; all that was shown is on the recovered tape",
        |_| ended("pwrite64:error=EIO", FLOOD, 500_000),
    ),
    row(
        "disk-eio-once",
        "one write of a frame is EIO, and those after it are not",
        "the session ends and is sealed; what was not recorded is declared",
        once,
    ),
    row(
        "disk-eio-sync",
        "from one moment of a flood on, every fdatasync(2) is EIO",
        "the session ends and says why; all that was shown is on the recovered tape",
        |_| ended("fdatasync:error=EIO", FLOOD, 500_000),
    ),
    row(
        "disk-eio-sync-idle",
        "fdatasync(2) of the last words before a silence is EIO",
        "the session ends with the next thing that would be recorded, a heartbeat at the latest",
        |_| ended("fdatasync:error=EIO", LAST_WORDS, 0),
    ),
    row(
        "disk-eio-device",
        "the device below the spool takes no more of what was written; its file system turns read-only",
        "the session ends and says why; `recover` reads the spool where it is: all that was shown is on the tape",
        device,
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

/// A session whose calls fail, once it has shown so much, to its end.
fn ended(what: &str, script: &str, shown_bytes: usize) -> Seen {
    let stage = Stage::local();
    let mut driver = Driver::spawn(stage.session(script));
    driver.wait_for("ready");
    driver.send("go\r");
    until("output", || driver.bytes().len() >= shown_bytes);
    let Some(meddler) = Meddler::attach(driver.pid(), what) else { return Seen::skipped(STRACE) };
    driver.try_send("last words");
    driver.wait();
    drop(meddler);
    told(stage.seen(&mut driver), &stage, "Input/output error")
}

/// Large chunks of a flood are written by the thread that seals them, the last frames and the seal by another. The
/// error is the first thread's alone: that of every thread would also be the seal's, whenever the other had come to
/// its own 20th write by then.
fn once(_: Effort) -> Seen {
    let stage = Stage::local();
    let mut driver = Driver::spawn(stage.session(FLOOD));
    driver.wait_for("ready");
    let what = "pwrite64:error=EIO:when=20";
    let Some(meddler) = Meddler::attach_to_thread(driver.pid(), "scribe", what) else {
        return Seen::skipped(STRACE);
    };
    driver.send("go\r");
    driver.wait();
    drop(meddler);
    let seen = stage.seen(&mut driver);
    let gaps = stage.world.tape().note("seal")["gaps"].clone();
    let bytes = gaps[0]["bytes"].as_u64().unwrap_or(0);
    let seen = told(
        seen.note(format!("sealed, with a gap of {bytes} bytes")),
        &stage,
        "Input/output error",
    );
    seen.demand(bytes > 0, "no gap was declared")
}

fn device(_: Effort) -> Seen {
    let stage = Stage::local();
    let spool = stage.world.practice().spool();
    let room = stage.world.home().join("room");
    let Some(mut device) = Device::mount(&spool, &room, 4_096) else { return Seen::skipped(LOOP) };
    let mut driver = Driver::spawn(stage.session(FLOOD));
    driver.wait_for("ready");
    driver.send("go\r");
    driver.wait();
    // While it is mounted, what the device did not take is still in memory.
    let recovered = stage.world.recover();
    let said = stderr(&recovered);
    let left = said.contains("its tape is in the store (recovered)")
        && said.contains("Read-only file system");
    let out = recovered.status.success() || left;
    device.rescue();
    let seen = told(stage.seen(&mut driver), &stage, "");
    seen.demand(out, format!("recover: {said}"))
}

/// It is one error, and it is told.
fn told(seen: Seen, stage: &Stage, why: &str) -> Seen {
    let said = stage.world.said();
    let told = said.contains("bg-shell: error: the session was ended: ") && said.contains(why);
    let ended = seen.outcome.starts_with("exit 125");
    seen.demand(ended, "the session was not ended").demand(told, format!("not told: {said}"))
}

const FLOOD: &str = "echo ready; read -r go; stty raw; exec cat /dev/urandom";
const LAST_WORDS: &str = "echo ready; read -r line; exec sleep 1000";
const STRACE: &str = "it needs root, and strace(1)";
const LOOP: &str = "it needs root, and loop devices";
