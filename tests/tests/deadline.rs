//! The session's time limit.

use crate::support::driver::Driver;
use crate::support::world::World;

#[test]
fn a_session_ends_when_its_time_is_over() {
    let world = World::new();
    let mut driver = limited(&world, "echo ready; exec sleep 1000");
    let before = format!("{:?}", driver.settings());
    assert_eq!(driver.wait(), 124, "{}", world.said());
    assert_eq!(before, format!("{:?}", driver.settings()));
    let said = world.said();
    assert!(
        said.contains("was ended by its deadline")
            && said.contains("bg-shell: error: the session's time was over"),
        "{said}"
    );
    ended_by_its_deadline(&world);
}

#[test]
fn a_session_that_does_not_want_to_end_is_ended() {
    let world = World::new();
    let mut driver = limited(
        &world,
        "trap '' HUP TERM INT; setsid nohup sleep 1000 & while :; do echo busy; done",
    );
    assert_eq!(driver.wait(), 124, "{}", world.said());
    ended_by_its_deadline(&world);
    assert_eq!(driver.shown(), world.tape().output());
}

#[test]
fn a_session_that_ends_in_time_is_not_called_late() {
    let world = World::new();
    let mut driver = limited(&world, "exit 3");
    assert_eq!(driver.wait(), 3);
    assert_eq!(world.tape().note("seal")["about"]["ended"], "exit");
}

fn limited(world: &World, script: &str) -> Driver {
    let mut shell = world.quiet_shell();
    shell.args(["open", "--max-duration", "1s", "--", "sh", "-c", script]);
    Driver::spawn(shell)
}

fn ended_by_its_deadline(world: &World) {
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("seal")["about"]["ended"], "deadline");
    assert_eq!(tape.note("genesis")["about"]["max_duration_s"], 1);
    assert_eq!(world.processes(), []);
    assert_eq!(world.spools().len(), 0);
}
