//! Job control inside a session.

use crate::support::driver::Driver;
use crate::support::wait::until;
use crate::support::world::World;

#[test]
fn a_job_can_be_stopped_listed_continued_and_interrupted() {
    let world = World::new();
    let mut driver = bash(&world);
    driver.wait_for("ready> ");
    driver.send("sleep 1000\r");
    runs(&world, "sleep 1000");
    driver.send("\x1a");
    driver.wait_for("Stopped");
    driver.wait_for("ready> ");
    driver.send("jobs\r");
    driver.wait_for("Stopped");
    driver.wait_for("sleep 1000");
    driver.send("fg\r");
    driver.wait_for("fg\r\n");
    driver.wait_for("sleep 1000");
    driver.send("\x03");
    driver.wait_for("ready> ");
    driver.send("echo st=$?\r");
    driver.wait_for("st=130");
    driver.send("exit\r");
    assert_eq!(driver.wait(), 0);
    let input = world.tape().input();
    assert_eq!(input, b"sleep 1000\r\x1ajobs\rfg\r\x03echo st=$?\rexit\r");
}

#[test]
fn a_leader_that_stops_itself_goes_on() {
    let world = World::new();
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", "echo stops; kill -STOP $$; echo goes on; exit 7"]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("goes on");
    assert_eq!(driver.wait(), 7, "{}", world.said());
    world.tape().assert_intact();
}

#[test]
fn a_job_in_the_background_reads_nothing_and_dies_with_the_session() {
    let world = World::new();
    let mut driver = bash(&world);
    driver.wait_for("ready> ");
    driver.send("cat &\r");
    driver.wait_for("[1] ");
    runs(&world, "cat");
    let cat = world.processes().into_iter().find(|process| process.args == "cat").unwrap();
    // proc_pid_stat(5): T is stopped.
    until("cat to be stopped", || {
        std::fs::read_to_string(format!("/proc/{}/stat", cat.pid)).unwrap().contains(") T ")
    });
    // Bash tells of a job at its next prompt, whichever that is.
    driver.send("\r");
    driver.wait_for("Stopped");
    driver.send("exit\rexit\r");
    driver.wait();
    assert_eq!(world.processes(), []);
    world.tape().assert_intact();
}

#[test]
fn quit_and_end_of_file_mean_in_a_session_what_they_mean_on_a_terminal() {
    let world = World::new();
    let mut driver = bash(&world);
    driver.wait_for("ready> ");
    driver.send("ulimit -c 0; sleep 1001\r");
    runs(&world, "sleep 1001");
    driver.send("\x1c");
    driver.wait_for("Quit");
    driver.wait_for("ready> ");
    driver.send("cat; echo st=$?\r");
    runs(&world, "cat");
    driver.send("abc\r\x04");
    driver.wait_for("abc\r\nabc");
    driver.wait_for("st=0");
    driver.send("\x04");
    assert_eq!(driver.wait(), 0);
}

fn bash(world: &World) -> Driver {
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "bash", "--norc"]).env("PS1", "ready> ").env("TERM", "dumb");
    Driver::spawn(shell)
}

fn runs(world: &World, args: &str) {
    until(args, || world.processes().iter().any(|process| process.args == args));
}
