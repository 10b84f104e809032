//! Faults between us and the store: a real S3 server behind a wire that fails.

use super::row::{Effort, Row, RunIn, Seen};
use super::stage::Stage;
use crate::support::emulator::{Weed, bucket};
use crate::support::wait::until;
use crate::support::wire::{Fault, Request, Wire};
use crate::support::world::stderr;

/// The rows.
pub const ROWS: &[Row] = &[
    row("store-refuse", "connections to the store are refused", |_| {
        during(Wire::refuse, Wire::restore)
    }),
    row("store-black-hole", "requests to the store are never answered", |_| all(Fault::BlackHole)),
    row("store-reset-upload", "uploads are reset in their middle", |_| all(Fault::ResetUpload)),
    row("store-reset-answer", "the store does it; its answers are reset in their middle", |_| {
        all(Fault::ResetAnswer)
    }),
    row("store-truncate", "the store does it; its answers end 8 bytes early", |_| {
        all(Fault::Truncate)
    }),
    row("store-slow", "the store's answers come at 2 KB/s", |_| all(Fault::Slow(100))),
    row("store-500", "500 InternalError to everything", |_| {
        all(Fault::Status(500, "InternalError"))
    }),
    row("store-503", "503 SlowDown to everything", |_| all(Fault::Status(503, "SlowDown"))),
    row("store-429", "429 TooManyRequests to everything", |_| {
        all(Fault::Status(429, "TooManyRequests"))
    }),
    row("store-403", "403 AccessDenied to everything", |_| all(Fault::Status(403, "AccessDenied"))),
    row("store-swallow", "success is reported for uploads that never happen", |_| {
        during(|wire| wire.fault(is_put, Fault::Swallow), Wire::heal)
    }),
    Row {
        name: "store-refuse-start",
        injected: "connections to the store are refused when a session is asked for",
        must: "no shell; the next session is the next in the host's count",
        run_in: RunIn::Every,
        run: at_start,
    },
    Row {
        name: "store-refuse-end",
        injected: "connections to the store are refused when the session ends",
        must: "the session ends as its program did; `recover` ships everything later",
        run_in: RunIn::Full,
        run: at_end,
    },
    Row {
        name: "store-killed",
        injected: "the S3 server is killed with SIGKILL during a session, and restarted",
        must: ON_AND_WHOLE,
        run_in: RunIn::Full,
        run: killed,
    },
];

const fn row(name: &'static str, injected: &'static str, run: fn(Effort) -> Seen) -> Row {
    Row { name, injected, must: ON_AND_WHOLE, run_in: RunIn::Every, run }
}

fn all(fault: Fault) -> Seen {
    during(|wire| wire.fault_all(fault.clone()), Wire::heal)
}

/// A fault that comes during a session, and goes again.
fn during(inject: impl Fn(&Wire), heal: impl Fn(&Wire)) -> Seen {
    let (stage, wire) = Stage::on_s3();
    let mut driver = stage.dialogue();
    inject(&wire);
    let before = wire.requests().len();
    driver.send("during\r");
    driver.wait_for("<during>");
    until("work for the store", || stage.spooled() >= 2 || wire.requests().len() >= before + 4);
    driver.send("still\r");
    driver.wait_for("<still>");
    heal(&wire);
    driver.send("after\r");
    driver.wait_for("<after>");
    driver.send("\x04");
    let seen = stage.seen(&mut driver);
    let went_on = seen.outcome.starts_with("exit 0");
    seen.demand(went_on, format!("the session did not go on: {}", stage.world.said()))
}

fn at_start(_: Effort) -> Seen {
    let (stage, wire) = Stage::on_s3();
    wire.refuse();
    let output = stage.world.record("echo started");
    wire.restore();
    let refused = output.status.code() == Some(125) && output.stdout.is_empty();
    let next = stage.world.record("true");
    let (seen, tapes) = stage.after("refused with exit 125".into());
    let places: Vec<_> =
        tapes.iter().map(|tape| tape.note("genesis")["host"]["seq"].clone()).collect();
    seen.demand(refused, stderr(&output))
        .demand(next.status.success(), stderr(&next))
        .demand(places == [1, 2], format!("places {places:?}"))
}

fn at_end(_: Effort) -> Seen {
    let (stage, wire) = Stage::on_s3();
    let mut driver = stage.dialogue();
    wire.refuse();
    driver.send("last\r");
    driver.wait_for("<last>");
    driver.send("\x04");
    driver.wait();
    let kept = stage.world.spools().len();
    wire.restore();
    stage.seen(&mut driver).demand(kept == 1, "no spool was kept")
}

fn killed(_: Effort) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let weed = Weed::new(dir.path());
    let server = weed.start();
    bucket(&server);
    let stage = Stage::on(&server.url(), &server.url());
    let mut driver = stage.dialogue();
    server.kill();
    driver.send("during\r");
    driver.wait_for("<during>");
    until("work for the store", || stage.spooled() >= 2);
    let server = weed.start();
    bucket(&server);
    driver.send("after\r");
    driver.wait_for("<after>");
    until("a store that takes everything again", || stage.spooled() < 2);
    driver.send("\x04");
    let seen = stage.seen(&mut driver);
    let went_on = seen.outcome.starts_with("exit 0");
    drop(server);
    seen.demand(went_on, "the session did not go on")
}

fn is_put(request: &Request) -> bool {
    request.method == "PUT"
}

const ON_AND_WHOLE: &str =
    "the session goes on; afterwards everything is in the store, in order, and read back";
