//! Where no PID namespace can be had, a subreaper holds the session together. Root without CAP_SYS_ADMIN is such a
//! place, so these need root.

use std::process::Command;

use rustix::process::Signal;

use crate::support::driver::Driver;
use crate::support::process;
use crate::support::wait::until;
use crate::support::world::{World, stderr};

#[test]
fn a_session_without_a_namespace_is_recorded_and_says_so() {
    let world = World::new();
    let Some(mut shell) = confined(&world) else { return };
    let output = shell.args(["sh", "-c", "echo here; exit 3"]).output().unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(3), &b"here\r\n"[..]),
        "{}",
        stderr(&output)
    );
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("genesis")["about"]["containment"], "subreaper");
}

#[test]
fn nothing_outlives_a_session_without_a_namespace() {
    let world = World::new();
    let Some(mut shell) = confined(&world) else { return };
    let output =
        shell.args(["sh", "-c", &format!("{SLEEPERS}; {AWAIT}; exit 4")]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(world.processes(), []);
    assert!(world.tape().note("seal")["about"]["killed"].as_u64().unwrap() >= 2);
}

#[test]
fn everything_dies_with_the_recorder_without_a_namespace() {
    let world = World::new();
    let Some(mut shell) = confined(&world) else { return };
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
    let Some(mut shell) = confined(&world) else { return };
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

/// Returns `bg-shell open --`, where it must not make namespaces.
fn confined(world: &World) -> Option<Command> {
    if !rustix::process::getuid().is_root() {
        println!("skipped: dropping a capability needs root");
        return None;
    }
    let mut shell = world.command("setpriv");
    shell.args([
        "--bounding-set=-sys_admin",
        "--inh-caps=-sys_admin",
        env!("CARGO_BIN_EXE_shell-under-test"),
    ]);
    shell.args(["open", "--"]);
    Some(shell)
}

/// Two processes that no hang-up ends, one of them an orphan in a session of its own.
const SLEEPERS: &str = "(setsid sh -c 'trap \"\" HUP TERM; : >$HOME/one; exec sleep 1000' </dev/null >/dev/null 2>&1 &); \
    sh -c 'trap \"\" HUP TERM; : >$HOME/two; exec sleep 1000' </dev/null >/dev/null 2>&1 & :";
const AWAIT: &str = "until [ -e $HOME/one ] && [ -e $HOME/two ]; do :; done";
