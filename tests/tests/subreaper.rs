//! Where a subreaper is wanted, or no cgroup can be made, a subreaper holds the session together.

use std::process::Command;

use rustix::process::Signal;

use crate::support::driver::Driver;
use crate::support::process;
use crate::support::wait::until;
use crate::support::world::{World, stderr};

#[test]
fn a_session_under_a_subreaper_is_recorded_and_says_so() {
    let world = World::new();
    let mut shell = confined(&world);
    let output = shell.args(["sh", "-c", "echo here; exit 3"]).output().unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(3), &b"here\n"[..]),
        "{}",
        stderr(&output)
    );
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("genesis")["about"]["containment"], "subreaper");
    let said = stderr(&output);
    assert!(said.contains("what it starts as somebody else may outlive it"), "{said}");
}

#[test]
fn nothing_outlives_a_session_under_a_subreaper() {
    let world = World::new();
    let mut shell = confined(&world);
    let output =
        shell.args(["sh", "-c", &format!("{SLEEPERS}; {AWAIT}; exit 4")]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(world.processes(), []);
    assert!(world.tape().note("seal")["about"]["killed"].as_u64().unwrap() >= 2);
}

#[test]
fn everything_dies_with_the_recorder_under_a_subreaper() {
    let world = World::new();
    let mut shell = confined(&world);
    shell.args([
        "sh",
        "-c",
        &format!("trap '' HUP; {SLEEPERS}; {AWAIT}; echo ready; exec sleep 1000"),
    ]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    driver.signal(Signal::KILL);
    assert_eq!(driver.wait(), 128 + 9);
    until("no process of the session", || world.processes().is_empty());
}

#[test]
fn a_killed_subreaper_ends_the_session() {
    let world = World::new();
    let mut shell = confined(&world);
    shell.args([
        "sh",
        "-c",
        &format!("trap '' HUP; {SLEEPERS}; {AWAIT}; echo ready; exec sleep 1000"),
    ]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    let keeper = world
        .processes()
        .into_iter()
        .find(|process| process.args.contains("__keep subreaper"))
        .unwrap();
    process::signal(keeper.pid, Signal::KILL);
    assert_eq!(driver.wait(), 125, "{}", driver.screen());
    until("no process of the session", || world.processes().is_empty());
    world.tape().assert_intact();
}

/// Returns `bg-shell open --`, contained by a subreaper.
fn confined(world: &World) -> Command {
    let mut shell = world.contain("subreaper").shell();
    shell.args(["open", "--"]);
    shell
}

/// Two processes that no hang-up ends, one of them an orphan in a session of its own.
const SLEEPERS: &str = "(setsid sh -c 'trap \"\" HUP TERM; : >$HOME/one; exec sleep 1000' </dev/null >/dev/null 2>&1 &); \
    sh -c 'trap \"\" HUP TERM; : >$HOME/two; exec sleep 1000' </dev/null >/dev/null 2>&1 & :";
const AWAIT: &str = "until [ -e $HOME/one ] && [ -e $HOME/two ]; do :; done";
