//! Processes that are killed, stopped, or out of file descriptors.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::row::{Effort, Row, RunIn, Seen};
use super::stage::Stage;
use crate::support::cgroup::Starved;
use crate::support::driver::Driver;
use crate::support::process::signal;
use crate::support::wait::within;
use crate::support::world::stderr;

/// The rows.
pub const ROWS: &[Row] = &[
    row(
        "kill-recorder",
        "SIGKILL to the recorder under a flood",
        "nothing lives on; all that was shown is on the recovered tape",
        kill_recorder,
    ),
    row(
        "oom-recorder",
        "the kernel's OOM killer takes the recorder under a flood: a memory cgroup without memory",
        "nothing lives on; all that was shown is on the recovered tape",
        oom_recorder,
    ),
    row(
        "kill-keeper",
        "SIGKILL to the keeper, then, in sessions held by a namespace, to its keeper and to its init",
        "the session ends and is sealed; nothing lives on",
        kill_keeper,
    ),
    row(
        "stop-recorder",
        "SIGSTOP to the recorder for a second under a flood, then SIGCONT",
        GOES_ON,
        |_| stopped("open --reason"),
    ),
    row(
        "stop-keeper",
        "SIGSTOP to the keeper and its init for a second, then SIGCONT",
        GOES_ON,
        |_| stopped("__keep"),
    ),
    row(
        "no-descriptors-start",
        "a limit of 3 to 40 file descriptors (RLIMIT_NOFILE) at the start",
        "no shell, or a whole session with a whole tape",
        few_descriptors,
    ),
    row(
        "no-descriptors",
        "the limit falls below what is open in the middle of a session",
        "the session ends with the first object that the spool cannot begin, and says why; all that was shown is on the tape",
        no_descriptors,
    ),
    row(
        "many-starts",
        "500 sessions are asked for, 16 at a time (20 in the tests)",
        "each has a tape, and the host's count has no hole",
        many_starts,
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

fn kill_recorder(_: Effort) -> Seen {
    let stage = Stage::local();
    let mut driver = stubborn(&stage);
    driver.signal(Signal::KILL);
    stage.seen(&mut driver)
}

fn oom_recorder(_: Effort) -> Seen {
    let stage = Stage::local();
    let mut driver = stubborn(&stage);
    let Some(starved) = Starved::put(driver.pid()) else { return Seen::skipped(CGROUP) };
    let status = driver.wait();
    let killed = starved.killed();
    stage
        .seen(&mut driver)
        .demand(status == 128 + 9, "the recorder was not killed")
        .demand(killed == 1, format!("the OOM killer took {killed}"))
}

/// A flood, and a process that outlives its terminal.
fn stubborn(stage: &Stage) -> Driver {
    let script = "trap '' HUP TERM; setsid nohup sleep 1000 & n=0; while :; do n=$((n+1)); echo line $n; done";
    let driver = Driver::spawn(stage.session(script));
    driver.wait_for("line 2000");
    driver
}

fn kill_keeper(_: Effort) -> Seen {
    let stage = Stage::local();
    let keepers = ["__keep ", "__keep namespace", "__keep init"];
    let mut all = keepers.map(|keeper| {
        if keeper != "__keep " {
            stage.world.contain("namespace");
        }
        let mut driver = stage.dialogue();
        driver.send("before\r");
        driver.wait_for("<before>");
        let processes = stage.world.processes();
        let found = processes.iter().find(|process| process.args.contains(keeper));
        found.inspect(|process| signal(process.pid, Signal::KILL));
        (found.is_some(), stage.seen(&mut driver))
    });
    let found = all.iter().all(|(found, _)| *found);
    let [.., (_, seen)] = &mut all;
    let seen = std::mem::take(seen);
    let sealed = stage.world.tapes().iter().all(|tape| tape.verdict() == "intact");
    seen.demand(found, "no keeper was found").demand(sealed, "a tape was not sealed")
}

fn stopped(whom: &str) -> Seen {
    let stage = Stage::local();
    let mut driver = stage.dialogue();
    let processes = stage.world.processes();
    let them: Vec<u32> = processes
        .iter()
        .filter(|process| process.args.contains(whom))
        .map(|process| process.pid)
        .collect();
    them.iter().for_each(|pid| signal(*pid, Signal::STOP));
    driver.send("during\r");
    // A second must pass: that is the fault.
    within(Duration::from_secs(1), || false);
    them.iter().for_each(|pid| signal(*pid, Signal::CONT));
    driver.wait_for("<during>");
    driver.send("\x04");
    let seen = stage.seen(&mut driver);
    let went_on = seen.outcome.starts_with("exit 0");
    seen.demand(!them.is_empty(), "nobody was stopped").demand(went_on, "the session did not go on")
}

fn few_descriptors(effort: Effort) -> Seen {
    let stage = Stage::local();
    assert!(stage.world.record("true").status.success());
    let mut refused = 0;
    let mut whole = 0;
    let mut wrong = Vec::new();
    for limit in (3..=40).step_by(usize::try_from(effort.pick(4, 1)).unwrap()) {
        let shell = stage.world.shell();
        let mut limited = stage.world.command("prlimit");
        limited.arg(format!("--nofile={limit}")).arg(shell.get_program());
        let output =
            limited.args(["open", "--reason", "few", "--", "echo", "started"]).output().unwrap();
        match (output.status.success(), &*output.stdout) {
            (true, b"started\n") => whole += 1,
            (false, b"") => refused += 1,
            _ => wrong.push(format!("{limit}: {:?} {}", output.status.code(), stderr(&output))),
        }
    }
    let (seen, tapes) = stage.after(format!("{refused} refused, {whole} ran"));
    let few = tapes.len() < whole + 1;
    seen.demand(wrong.is_empty(), wrong.join("; ")).demand(!few, "a session has no tape")
}

fn no_descriptors(_: Effort) -> Seen {
    let stage = Stage::local();
    let mut driver = stage.dialogue();
    let pid = driver.pid().to_string();
    // What is open stays open, and is enough to wait on (poll(2) counts its descriptors, too).
    let set = Command::new("prlimit").args(["--pid", &pid, "--nofile=8:"]).output();
    assert!(set.as_ref().is_ok_and(|set| set.status.success()), "{set:?}");
    driver.send("during\r");
    let status = driver.wait();
    let said = stage.world.said();
    let told =
        said.contains("the session was ended: cannot write to the spool: Too many open files");
    stage
        .seen(&mut driver)
        .demand(status == 125, "the session was not ended")
        .demand(told, format!("not told: {said}"))
}

fn many_starts(effort: Effort) -> Seen {
    let stage = Stage::local();
    assert!(stage.world.record("true").status.success());
    let left = std::sync::Mutex::new(effort.pick(20, 500));
    let failed = std::sync::Mutex::new(Vec::new());
    let work = || {
        while {
            let mut left = left.lock().unwrap();
            *left = left.wrapping_sub(1);
            *left < u64::MAX / 2
        } {
            let output = stage.world.record("echo started");
            if !output.status.success() {
                failed.lock().unwrap().push(stderr(&output));
            }
        }
    };
    std::thread::scope(|scope| (0..16).for_each(|_| drop(scope.spawn(work))));
    let (seen, tapes) = stage.after(String::new());
    let mut places: Vec<u64> =
        tapes.iter().map(|tape| tape.note("genesis")["host"]["seq"].as_u64().unwrap()).collect();
    places.sort_unstable();
    let count = effort.pick(20, 500) + 1;
    let failed = failed.into_inner().unwrap();
    seen.note(format!("{} sessions, places 1 to {}", places.len(), places.last().unwrap_or(&0)))
        .demand(failed.is_empty(), failed.join("; "))
        .demand(places == (1..=count).collect::<Vec<_>>(), "a hole in the count")
}

const CGROUP: &str = "it needs root, and a memory cgroup";
const GOES_ON: &str = "the session goes on; every byte is on the tape";
