//! Programs that own the whole screen, and pastes.

use crate::support::driver::{Driver, find};
use crate::support::world::World;

#[test]
fn vim_edits_a_file() {
    let world = World::new();
    let mut driver =
        program(&world, "vim -u NONE -N -n --cmd 'set ttimeout ttimeoutlen=0' $HOME/file");
    driver.wait_for("~");
    driver.send("iline one\rline two");
    driver.wait_for("line two");
    // Escape and a colon at once would be Alt and a colon. The cursor steps back when insertion has ended.
    driver.send("\x1b");
    driver.wait_for("\x1b[2;8H");
    driver.resize(100, 30);
    driver.wait_for("\x1b[29;1H");
    driver.send(":set columns?\r");
    driver.wait_for("columns=100");
    driver.send(":wq\r");
    same_on_screen_and_tape(&world, &mut driver);
    assert_eq!(std::fs::read_to_string(world.home().join("file")).unwrap(), "line one\nline two\n");
}

#[test]
fn what_vim_has_not_saved_is_in_its_swap_file_when_the_session_is_ended() {
    let world = World::new();
    let mut driver =
        program(&world, "vim -u NONE -N --cmd 'set dir=. ttimeout ttimeoutlen=0' text");
    driver.wait_for("~");
    driver.send("inot saved yet");
    driver.wait_for("not saved yet");
    driver.signal(rustix::process::Signal::TERM);
    driver.wait();
    let swap = std::fs::read(world.home().join(".text.swp")).unwrap();
    assert!(find(&swap, b"not saved yet").is_some(), "{} bytes", swap.len());
    world.tape().assert_intact();
}

#[test]
fn less_pages_a_file() {
    let world = World::new();
    let text: String = (1..=500).map(|n| format!("line number {n}\n")).collect();
    std::fs::write(world.home().join("file"), text).unwrap();
    let mut driver = program(&world, "less $HOME/file");
    driver.wait_for("line number 20");
    driver.send("G");
    driver.wait_for("line number 500");
    driver.wait_for("END");
    driver.send("?number 250\r");
    driver.wait_for("number 250");
    driver.send("q");
    same_on_screen_and_tape(&world, &mut driver);
}

#[test]
fn top_shows_the_processes_of_its_session() {
    let world = World::new();
    let mut driver = program(&world, "top -d 0.1");
    driver.wait_for("load average");
    driver.wait_for("PID USER");
    driver.wait_for("top");
    driver.send("q");
    same_on_screen_and_tape(&world, &mut driver);
}

#[test]
fn tmux_runs_inside_and_dies_with_the_session() {
    let world = World::new();
    // Keys that come as fast as a test's would be taken for a paste.
    std::fs::write(world.home().join("tmux.conf"), "set -g assume-paste-time 0\n").unwrap();
    let tmux = "TMUX_TMPDIR=$HOME tmux -f $HOME/tmux.conf new-session 'PS1=\"ready> \" sh'";
    let mut driver = program(&world, tmux);
    driver.wait_for("ready> ");
    driver.send("echo answer=$((6*7))\r");
    driver.wait_for("answer=42");
    driver.wait_for("ready> ");
    // Detached, its server would live on.
    driver.send("\x02d");
    driver.wait_for("detached");
    same_on_screen_and_tape(&world, &mut driver);
    assert!(world.tape().note("seal")["about"]["killed"].as_u64().unwrap() >= 1);
}

#[test]
fn a_bracketed_paste_arrives_as_it_is_and_runs_nothing() {
    let world = World::new();
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "bash", "--norc"]).env("PS1", "ready> ");
    let mut driver = Driver::spawn(shell);
    driver.wait_for("\x1b[?2004h");
    driver.wait_for("ready> ");
    let paste = "\x1b[200~touch $HOME/one\ntouch $HOME/two\n\x1b[201~";
    driver.send(paste);
    driver.wait_for("two");
    driver.send("\x03");
    driver.wait_for("ready> ");
    driver.send("exit 0\r");
    same_on_screen_and_tape(&world, &mut driver);
    assert!(!world.home().join("one").exists() && !world.home().join("two").exists());
    assert!(world.tape().input().starts_with(paste.as_bytes()));
}

#[test]
fn a_paste_of_a_megabyte_arrives_byte_for_byte() {
    let world = World::new();
    let paste: Vec<u8> =
        (0..1_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mut driver =
        program(&world, "stty raw -echo; echo ready; exec head -c 1000000 >$HOME/file");
    driver.wait_for("ready");
    driver.send(&paste);
    same_on_screen_and_tape(&world, &mut driver);
    assert!(std::fs::read(world.home().join("file")).unwrap() == paste);
    assert!(world.tape().input() == paste);
}

#[test]
fn a_paste_that_is_echoed_back_does_not_lock_up() {
    let world = World::new();
    let paste = "all work and no play makes jack a dull boy\n".repeat(5_000);
    let mut driver = program(
        &world,
        &format!("stty -icanon min 1; echo ready; exec head -c {} >$HOME/file", paste.len()),
    );
    driver.wait_for("ready");
    driver.send(&paste);
    same_on_screen_and_tape(&world, &mut driver);
    assert!(std::fs::read(world.home().join("file")).unwrap() == paste.as_bytes());
}

fn program(world: &World, command: &str) -> Driver {
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", command]);
    Driver::spawn(shell)
}

/// What the screen was sent is what the tape has, byte for byte.
fn same_on_screen_and_tape(world: &World, driver: &mut Driver) {
    assert_eq!(driver.wait(), 0, "{}\n{}", driver.screen(), world.said());
    let tape = world.tape();
    tape.assert_intact();
    let recorded = tape.output();
    let shown = driver.shown();
    assert!(
        shown == recorded,
        "shown: {:?}\nrecorded: {:?}",
        String::from_utf8_lossy(&shown),
        String::from_utf8_lossy(&recorded)
    );
    assert_eq!(world.processes(), []);
}
