//! Disks that are full, read-only or failing.

use super::row::{Effort, Row, RunIn, Seen};
use super::stage::Stage;
use crate::support::disk::Disk;
use crate::support::driver::Driver;
use crate::support::wait::until;
use crate::support::world::stderr;

/// The rows.
pub const ROWS: &[Row] = &[
    row(
        "disk-full-start",
        "no byte is left on the disk when a session is asked for",
        "no shell",
        at_start,
    ),
    row(
        "disk-full-frame",
        "the disk of spool and store fills under a flood",
        "the session ends; all that was shown is on the tape",
        mid_frame,
    ),
    row(
        "disk-full-seal",
        "the spool's disk is full when a session must be ended for it",
        "the reserve takes the last frames and the seal; what was not recorded is declared",
        at_the_seal,
    ),
    row(
        "disk-read-only",
        "the store's disk turns read-only, and writable again",
        "the session goes on",
        frozen,
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

fn at_start(_: Effort) -> Seen {
    let stage = Stage::local();
    let Some(disk) = Disk::mount(&stage.world.state(), 64) else { return Seen::skipped(ROOT) };
    disk.fill(0);
    let output = stage.world.record("echo started");
    let refused = output.status.code() == Some(125) && output.stdout.is_empty();
    stage.after("refused with exit 125".into()).0.demand(refused, stderr(&output))
}

fn mid_frame(_: Effort) -> Seen {
    let stage = Stage::local();
    let Some(disk) = Disk::mount(&stage.world.state(), 8_192) else { return Seen::skipped(ROOT) };
    let mut driver = Driver::spawn(stage.session("stty raw; exec cat /dev/urandom"));
    let status = driver.wait();
    disk.resize(65_536);
    stage.seen(&mut driver).demand(status == 125, "the session was not ended")
}

fn at_the_seal(_: Effort) -> Seen {
    let stage = Stage::local();
    let Some(disk) = Disk::mount(&stage.world.state().join("spool"), 4_096) else {
        return Seen::skipped(ROOT);
    };
    let script = "echo ready; read -r line; exec head -c 1000000 /dev/urandom";
    let mut driver = Driver::spawn(stage.session(script));
    driver.wait_for("ready");
    disk.fill(100);
    driver.send("\r");
    let seen = stage.seen(&mut driver);
    let gaps = stage.world.tape().note("seal")["gaps"].clone();
    let bytes = gaps[0]["bytes"].as_u64().unwrap_or(0);
    seen.note(format!("sealed, with a gap of {bytes} bytes"))
        .demand(bytes > 0, "no gap was declared")
}

fn frozen(_: Effort) -> Seen {
    let stage = Stage::local();
    let Some(disk) = Disk::mount(&stage.world.state().join("evidence"), 16_384) else {
        return Seen::skipped(ROOT);
    };
    let mut driver = stage.dialogue();
    disk.freeze();
    driver.send("during\r");
    driver.wait_for("<during>");
    until("work for the store", || stage.spooled() >= 2);
    disk.thaw();
    driver.send("after\r");
    driver.wait_for("<after>");
    driver.send("\x04");
    let seen = stage.seen(&mut driver);
    let went_on = seen.outcome.starts_with("exit 0");
    seen.demand(went_on, "the session did not go on")
}

const ROOT: &str = "mounting needs root";
