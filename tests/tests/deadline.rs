//! The session's time limit.

use rustix::process::Signal;

use crate::support::driver::{Driver, find};
use crate::support::meddler::Meddler;
use crate::support::wait::until;
use crate::support::world::{World, stderr};

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
    let mut shell = world.quiet_shell();
    shell.args(["open", "--max-duration", "1m", "--", "sh", "-c", "exit 3"]);
    assert_eq!(Driver::spawn(shell).wait(), 3);
    assert_eq!(world.tape().note("seal")["about"]["ended"], "exit");
}

#[test]
fn a_full_screen_program_shows_the_warning_and_then_itself_again() {
    for program in ["less $HOME/text", "vim -u NONE -N --cmd 'set dir=.' $HOME/text"] {
        let world = World::new();
        let text: String = (1..=500).map(|n| format!("line number {n}\n")).collect();
        std::fs::write(world.home().join("text"), text).unwrap();
        let mut shell = world.quiet_shell();
        // One minute before its end is two seconds after its beginning.
        shell.args(["open", "--max-duration", "62s", "--", "sh", "-c", program]);
        let mut driver = Driver::spawn(shell);
        driver.wait_for("line number 20");
        let line = "bg-shell: this session ends in 1m";
        driver.wait_for(&format!(
            "\x1b[22;0t\x1b]2;{line}\x07\x07\x1b7\x1b[1;1H\x1b[0;7m{line}\x1b[m\x1b8"
        ));
        // The first line of the text is under it until the program draws itself again.
        driver.wait_for("line number 1");
        driver.wait_for("line number 20");
        driver.signal(Signal::TERM);
        driver.wait_for("\x1b[23;0t");
        driver.wait();
        let tape = world.tape();
        tape.assert_intact();
        assert_eq!(tape.notices("deadline")[0]["left_s"], 60);
        assert!(find(&tape.output(), line.as_bytes()).is_none(), "it is ours, not the session's");
    }
}

#[test]
fn a_session_knows_when_it_ends() {
    let world = World::new();
    let output = world.record("printf '%s %s' \"$BG_SHELL_ENDS\" \"$BG_SHELL_ROLE\"");
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    let (ends, role) = shown.split_once(' ').unwrap();
    assert_eq!((role, ends.len()), ("practice", "2026-11-23T06:00:00Z".len()));
    let said = stderr(&output);
    assert!(said.contains(&format!("ends in 1h, at {} UTC", &ends[11..19])), "{ends} {said}");
}

#[test]
fn who_may_lose_a_session_with_the_terminal_is_told_how_not_to() {
    let hint = "begun inside tmux, it stays";
    for (tmux, told) in [(None, true), (Some("/tmp/tmux-0/default,1,0"), false)] {
        let world = World::new();
        let mut shell = world.shell();
        shell.args(["open", "--", "true"]);
        shell.envs(tmux.map(|tmux| ("TMUX", tmux)));
        let mut driver = Driver::spawn(shell);
        assert_eq!(driver.wait(), 0);
        let shown = String::from_utf8_lossy(&driver.shown()).into_owned();
        assert_eq!(shown.contains(hint), told, "{shown}");
    }
    let world = World::new();
    assert!(!stderr(&world.record("true")).contains(hint), "no terminal hangs up");
}

#[test]
fn a_deadline_holds_where_the_recorder_hangs_on_its_disk() {
    let world = World::new();
    let mut shell = world.quiet_shell();
    let script = "trap '' HUP; echo ready; exec sleep 1000";
    shell.args(["open", "--max-duration", "8s", "--", "sh", "-c", script]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    let name = std::fs::read_to_string(format!("/proc/{}/comm", driver.pid())).unwrap();
    // Each write of the loop's takes ten minutes.
    let slow = "write,pwrite64,writev:delay_enter=600000000";
    let Some(slow) = Meddler::attach_to_thread(driver.pid(), name.trim_end(), slow) else {
        println!("skipped: this user may not meddle with a recorder");
        return;
    };
    driver.send("x\r");
    let sleeps = || world.processes().iter().any(|process| process.args == "sleep 1000");
    until("the end of the session's processes", || !sleeps());
    drop(slow);
    assert_eq!(driver.wait(), 124, "{}", world.said());
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("seal")["about"]["ended"], "deadline");
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
