//! An editor's swap files, which name the process that edits.

use crate::support::driver::Driver;
use crate::support::wait::until;
use crate::support::world::World;
use rustix::process::Signal;

#[test]
fn a_vim_inside_sees_the_one_outside_and_recovers_what_it_left() {
    let world = World::new();
    let swap = world.home().join(".text.swp");
    let mut vim = world.command("vim");
    vim.args(["-u", "NONE", "-N", "text"]);
    let mut outside = Driver::spawn(vim);
    outside.send("iunsaved words\x1b:preserve\r");
    outside.wait_for("preserved");
    let mut inside = Driver::spawn(recorded(&world, &["text"]));
    inside.wait_for("STILL RUNNING");
    inside.send("q");
    inside.wait();
    assert!(swap.exists(), "a running vim's swap file is gone");
    outside.signal(Signal::KILL);
    outside.wait();
    let mut again = Driver::spawn(recorded(&world, &["-r", "text"]));
    again.wait_for("Press ENTER");
    again.send("\r");
    again.wait_for("unsaved words");
    again.send(":wq\r");
    again.wait();
    until("it is written", || {
        std::fs::read_to_string(world.home().join("text"))
            .is_ok_and(|text| text == "unsaved words\n")
    });
}

fn recorded(world: &World, args: &[&str]) -> std::process::Command {
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "vim", "-u", "NONE", "-N"]).args(args);
    shell
}
