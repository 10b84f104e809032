//! The window's size.

use crate::support::driver::Driver;
use crate::support::world::World;

#[test]
fn the_session_has_the_windows_size() {
    let world = World::new();
    let mut driver = Driver::spawn_sized(sized(&world), 132, 43);
    driver.wait_for("size 43 132");
    driver.send("\r");
    assert_eq!(driver.wait(), 0);
    let genesis = world.tape().note("genesis");
    assert_eq!((&genesis["about"]["cols"], &genesis["about"]["rows"]), (&132.into(), &43.into()));
}

#[test]
fn a_terminal_without_a_size_is_taken_for_80_by_24() {
    let world = World::new();
    let mut driver = Driver::spawn_sized(sized(&world), 0, 0);
    driver.wait_for("size 24 80");
    driver.send("\r");
    assert_eq!(driver.wait(), 0);
}

#[test]
fn a_resize_is_on_the_tape_before_the_session_sees_it() {
    let world = World::new();
    let mut driver = Driver::spawn(sized(&world));
    driver.wait_for("size 24 80");
    for (cols, rows) in [(100, 30), (20, 5), (300, 100)] {
        driver.resize(cols, rows);
        driver.wait_for(&format!("size {rows} {cols}"));
    }
    driver.send("\r");
    assert_eq!(driver.wait(), 0);
    let story: Vec<String> = world
        .tape()
        .events()
        .iter()
        .filter_map(|event| match event.line.code {
            'r' => Some(event.line.data.clone()),
            'o' => Some(event.line.data.lines().next()?.to_owned())
                .filter(|line| line.starts_with("size")),
            _ => None,
        })
        .collect();
    assert_eq!(
        story,
        ["size 24 80", "100x30", "size 30 100", "20x5", "size 5 20", "300x100", "size 100 300"]
    );
}

#[test]
fn a_storm_of_resizes_ends_with_the_last_size() {
    let world = World::new();
    let mut driver = Driver::spawn(sized(&world));
    driver.wait_for("size 24 80");
    for n in 1..=500 {
        driver.resize(40 + n, 10 + n);
    }
    driver.wait_for("size 510 540");
    driver.send("\r");
    assert_eq!(driver.wait(), 0);
    let last = world
        .tape()
        .events()
        .iter()
        .rfind(|event| event.line.code == 'r')
        .unwrap()
        .line
        .data
        .clone();
    assert_eq!(last, "540x510");
}

/// A session that says its size at the start and whenever it changes, until it is sent a line. Bash runs a trap
/// only between commands: `read` returns for it.
fn sized(world: &World) -> std::process::Command {
    let mut shell = world.quiet_shell();
    let script = "trap 'echo size $(stty size)' WINCH; echo size $(stty size); until read -r -t 60; do :; done";
    shell.args(["open", "--", "bash", "-c", script]);
    shell
}
