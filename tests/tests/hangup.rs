//! Nobody is there any more: the terminal hung up, or the reader of the output left.

use std::io::Read as _;
use std::process::{Command, ExitStatus, Stdio};

use crate::support::driver::Driver;
use crate::support::wait::until;
use crate::support::world::World;

#[test]
fn a_closed_window_ends_the_session_with_a_seal() {
    for script in [
        "echo ready; read -r line",
        "trap '' HUP; echo ready; while :; do echo more; done",
        "echo ready; sleep 1000",
    ] {
        let world = World::new();
        let mut shell = world.shell();
        shell.args(["open", "--", "sh", "-c", script]);
        let mut driver = Driver::spawn(shell);
        driver.wait_for("ready");
        driver.hang_up();
        let status = driver.wait();
        assert!([128 + 1, 128 + 9, 128 + 15].contains(&status), "{status}");
        sealed(&world);
    }
}

#[test]
fn a_closed_window_ends_a_shell_and_its_jobs() {
    let world = World::new();
    let mut shell = world.shell();
    shell.args(["open", "--", "bash", "--norc"]).env("PS1", "ready> ");
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready> ");
    driver.send("sleep 1000 &\r");
    driver.wait_for("ready> ");
    driver.send("nohup setsid sleep 1000 >/dev/null 2>&1\r");
    until("two jobs", || {
        world.processes().iter().filter(|process| process.args.ends_with("sleep 1000")).count() >= 2
    });
    driver.hang_up();
    driver.wait();
    sealed(&world);
}

#[test]
fn output_that_nobody_reads_any_more_ends_the_session() {
    let world = World::new();
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", "while :; do echo more; done"]).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"more\nmore\n");
    let status = ended(&mut child);
    assert_eq!(status.code(), Some(128 + 1), "{}", world.said());
    sealed(&world);
    assert!(world.said().contains("was ended: its terminal hung up"), "{}", world.said());
    assert!(world.tape().output().starts_with(&first));
}

#[test]
fn a_session_whose_messages_nobody_reads_is_sealed_all_the_same() {
    let world = World::new();
    let mut shell = world.shell();
    shell
        .args(["open", "--", "sh", "-c", "while :; do echo more; done"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    drop(child.stderr.take());
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(ended(&mut child).code(), Some(128 + 1));
    sealed(&world);
}

#[test]
fn a_reader_that_never_came_leaves_no_session_behind() {
    let world = World::new();
    let mut shell = world.shell();
    shell
        .args(["open", "--", "sh", "-c", "echo one; exit 3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let code = ended(&mut child).code();
    assert!(matches!(code, Some(3 | 129)), "{code:?}");
    assert_eq!(world.processes(), []);
    world.tape().assert_intact();
}

#[test]
fn a_full_device_for_standard_output_is_told_and_is_no_success() {
    for script in ["echo one; exec sleep 1000", "echo one", "seq 300000"] {
        let world = World::new();
        let mut shell: Command = world.quiet_shell();
        shell.args(["open", "--", "sh", "-c", script]);
        shell.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
        assert_eq!(ended(&mut shell.spawn().unwrap()).code(), Some(125), "{}", world.said());
        let said = world.said();
        let sentence = "error: what the session wrote cannot be written: No space left on device";
        assert!(said.contains(sentence), "{said}");
        sealed_as(&world, "output-failure");
        assert!(world.tape().output().starts_with(if script == "seq 300000" {
            b"1\n2\n"
        } else {
            b"one\n"
        }));
    }
}

fn ended(child: &mut std::process::Child) -> ExitStatus {
    let mut status = None;
    until("the end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

fn sealed(world: &World) {
    sealed_as(world, "hangup");
}

fn sealed_as(world: &World, how: &str) {
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("seal")["about"]["ended"], how);
    assert_eq!(world.processes(), []);
    assert_eq!(world.spools().len(), 0);
}
