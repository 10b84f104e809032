//! The responder's terminal: raw while the session runs, and as before afterwards.

use rustix::process::Signal;
use rustix::termios::{LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, tcsetattr};

use crate::contain::somebody;
use crate::support::driver::Driver;
use crate::support::wait::until;
use crate::support::world::World;

#[test]
fn the_terminal_is_raw_during_a_session_and_restored_after_it() {
    let world = World::new();
    let mut driver = Driver::spawn(script(&world, "echo ready; read -r line; exit 5"));
    let before = driver.settings();
    driver.wait_for("ready");
    let during = driver.settings();
    assert!(
        !during.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    );
    assert!(!during.output_modes.contains(OutputModes::OPOST));
    driver.send("\r");
    assert_eq!(driver.wait(), 5);
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
}

#[test]
fn a_signal_ends_the_session_properly_and_restores_the_terminal() {
    for (signal, ended, detail) in [
        (Signal::TERM, "signal", "SIGTERM"),
        (Signal::INT, "signal", "SIGINT"),
        (Signal::QUIT, "signal", "SIGQUIT"),
        (Signal::HUP, "hangup", ""),
    ] {
        let world = World::new();
        let mut driver = Driver::spawn(script(&world, "echo ready; read -r line"));
        let before = format!("{:?}", driver.settings());
        driver.wait_for("ready");
        driver.signal(signal);
        // The leader died of the hang-up that its session was given.
        assert_eq!(driver.wait(), 128 + 1, "{}", driver.screen());
        assert_eq!(before, format!("{:?}", driver.settings()), "{signal:?}");
        let tape = world.tape();
        tape.assert_intact();
        let about = &tape.note("seal")["about"];
        assert_eq!(
            (&about["ended"], about["detail"].as_str().unwrap_or_default()),
            (&ended.into(), detail)
        );
        assert_eq!(world.processes(), []);
    }
}

#[test]
fn programs_that_ignore_the_hang_up_are_killed() {
    let world = World::new();
    let mut driver = Driver::spawn(script(
        &world,
        "trap '' HUP TERM; echo ready; while :; do read -r line; done",
    ));
    driver.wait_for("ready");
    driver.signal(Signal::TERM);
    assert_eq!(driver.wait(), 128 + 9, "{}", driver.screen());
    world.tape().assert_intact();
    assert_eq!(world.processes(), []);
}

#[test]
fn a_program_may_say_its_last_words_when_the_session_is_ended() {
    let world = World::new();
    let mut shell = world.quiet_shell();
    shell.args([
        "open",
        "--",
        "bash",
        "-c",
        "trap 'echo last words; exit 6' HUP; echo ready; while :; do read -r x; done",
    ]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    driver.signal(Signal::TERM);
    driver.wait_for("last words");
    assert_eq!(driver.wait(), 6);
    assert_eq!(driver.shown(), world.tape().output());
}

#[test]
fn a_blocked_signal_ends_the_session_all_the_same() {
    let world = World::new();
    let mut shell = world.command("env");
    shell.args(["--block-signal=TERM,HUP", env!("CARGO_BIN_EXE_shell-under-test")]);
    shell.args(["open", "--", "sh", "-c", "echo ready; exec sleep 1000"]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    driver.signal(Signal::TERM);
    assert_eq!(driver.wait(), 128 + 1, "{}", driver.screen());
    world.tape().assert_intact();
}

#[test]
fn who_has_something_to_save_has_time_for_it_when_the_session_is_ended() {
    for saves_at in ["HUP", "TERM"] {
        let world = World::new();
        // The leader ends at once. A trap runs once what the shell waits for has ended.
        let other = if saves_at == "HUP" { "TERM" } else { "HUP" };
        let child = format!(
            "(trap '' {other}; trap 'sleep 0.3; echo kept >$HOME/kept; exit' {saves_at}; \
             : >$HOME/up; while :; do sleep 0.1; done) & until [ -e $HOME/up ]; do :; done"
        );
        let mut driver =
            Driver::spawn(script(&world, &format!("{child}; echo ready; exec sleep 1000")));
        driver.wait_for("ready");
        driver.signal(Signal::TERM);
        assert_eq!(driver.wait(), 128 + 1, "{}", driver.screen());
        assert!(world.home().join("kept").exists(), "{saves_at}");
        world.tape().assert_intact();
    }
}

#[test]
fn a_stop_from_outside_does_not_leave_a_session_hanging() {
    let world = World::new();
    let mut driver = Driver::spawn(script(&world, "echo ready; read -r line; echo \"<$line>\""));
    driver.wait_for("ready");
    for stop in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
        driver.signal(stop);
    }
    driver.send("going on\r");
    driver.wait_for("<going on>");
    assert_eq!(driver.wait(), 0);
}

#[test]
fn a_session_begins_with_the_settings_of_the_responders_terminal() {
    let world = World::new();
    // The driver's terminal is made before bg-shell looks at it: `stty` in the same session does it.
    let mut shell = world.quiet_shell();
    let args: Vec<_> = shell.get_args().map(ToOwned::to_owned).collect();
    let script = args[1].to_str().unwrap().replace("exec", "stty intr ^G erase ^H -ixon; exec");
    shell = world.command("sh");
    shell.arg("-c").arg(script).args(&args[2..]).args(["open", "--", "stty", "-a"]);
    let mut driver = Driver::spawn(shell);
    assert_eq!(driver.wait(), 0);
    let text = String::from_utf8(driver.shown()).unwrap();
    assert!(
        text.contains("intr = ^G") && text.contains("erase = ^H") && text.contains(" -ixon"),
        "{text}"
    );
}

#[test]
fn a_stuck_screen_does_not_keep_a_signal_from_ending_the_session() {
    let world = World::new();
    let mut driver = Driver::spawn(script(&world, "echo ready; exec cat /dev/zero"));
    driver.wait_for("ready");
    driver.look_away();
    driver.signal(Signal::TERM);
    until("a seal", || world.tape().dir.join("seal").exists());
    // What it has to say waits for somebody who reads it.
    until("the end of all processes but its own", || {
        world.processes().iter().all(|process| process.pid == driver.pid())
    });
    driver.look();
    assert_eq!(driver.wait(), 128 + 1);
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("seal")["about"]["detail"], "SIGTERM");
}

#[test]
fn a_terminal_that_is_changed_during_the_session_is_restored_to_what_it_was() {
    let world = World::new();
    let mut driver = Driver::spawn(script(&world, "echo ready; read -r line"));
    let before = driver.settings();
    driver.wait_for("ready");
    let mut other = driver.settings();
    other.special_codes[SpecialCodeIndex::VINTR] = 7;
    tcsetattr(driver.side(), OptionalActions::Now, &other).unwrap();
    driver.send("\r");
    assert_eq!(driver.wait(), 0);
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
}

#[test]
fn a_terminal_that_waits_for_more_keys_holds_nothing_up() {
    let world = World::new();
    let mut shell = world.quiet_shell();
    let args = ["open", "--max-duration", "3s", "--", "sh", "-c", "echo ready; exec sleep 1000"];
    shell.args(args);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    let mut slow = driver.settings();
    slow.special_codes[SpecialCodeIndex::VMIN] = 255;
    slow.special_codes[SpecialCodeIndex::VTIME] = 255;
    tcsetattr(driver.side(), OptionalActions::Now, &slow).unwrap();
    driver.send("x");
    assert_eq!(driver.wait(), 124, "{}", world.said());
    world.tape().assert_intact();
}

#[test]
fn a_key_that_another_process_takes_holds_nothing_up() {
    let world = World::new();
    let mut shell = world.quiet_shell();
    let args = ["open", "--max-duration", "3s", "--", "sh", "-c", "echo ready; exec sleep 1000"];
    shell.args(args);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    let thief = driver.side().try_clone().unwrap();
    // It reads until the terminal is gone.
    std::thread::spawn(
        move || {
            while rustix::io::read(&thief, &mut [0; 64]).is_ok_and(|read| read > 0) {}
        },
    );
    for _ in 0..200 {
        driver.try_send("x");
    }
    assert_eq!(driver.wait(), 124, "{}", world.said());
    world.tape().assert_intact();
}

#[test]
fn a_terminal_that_cannot_be_opened_anew_is_read_beside_the_loop_and_holds_nothing_up() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: a terminal of another user needs root");
        return;
    }
    let world = World::new();
    // After su(1) the terminal is still of whom it was before.
    let mut shell = somebody(&world, "subreaper");
    let script = "echo ready; read -r line; echo \"<$line>\"; exec sleep 1000";
    shell.args(["open", "--", "sh", "-c", script]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    let threads = std::fs::read_dir(format!("/proc/{}/task", driver.pid())).unwrap();
    let mut names = threads.map(|thread| {
        std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default()
    });
    assert!(names.any(|name| name.trim_end() == "keyboard"), "no thread reads the keys");
    driver.send("some keys\r");
    driver.wait_for("<some keys>");
    let thief = driver.side().try_clone().unwrap();
    std::thread::spawn(
        move || {
            while rustix::io::read(&thief, &mut [0; 64]).is_ok_and(|read| read > 0) {}
        },
    );
    for _ in 0..200 {
        driver.try_send("x");
    }
    driver.signal(Signal::TERM);
    assert_eq!(driver.wait(), 128 + 1, "{}", driver.screen());
    world.tape().assert_intact();
}

#[test]
fn a_session_that_was_stopped_takes_its_terminal_again() {
    let world = World::new();
    let drawn = "trap 'echo drawn' WINCH; echo ready; until read -rt 0.2 line; do :; done; exit 5";
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "bash", "-c", drawn]);
    let mut driver = Driver::spawn(shell);
    let before = driver.settings();
    driver.wait_for("ready");
    let during = format!("{:?}", driver.settings());
    driver.signal(Signal::STOP);
    tcsetattr(driver.side(), OptionalActions::Now, &before).unwrap();
    driver.signal(Signal::CONT);
    until("the terminal to be raw again", || format!("{:?}", driver.settings()) == during);
    driver.wait_for("drawn");
    driver.send("\r");
    assert_eq!(driver.wait(), 5, "{}", world.said());
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
}

#[test]
fn a_full_screen_program_that_is_ended_leaves_a_usable_terminal() {
    let world = World::new();
    let on = r"printf '\033[?1049h\033[?1000;1006h\033[?2004h\033[?25l\033[?1h\033=ready'";
    let mut shell = world.quiet_shell();
    let program = format!("{on}; exec sleep 1000");
    shell.args(["open", "--max-duration", "3s", "--", "sh", "-c", &program]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready");
    driver.wait_for("\x1b[?1049l");
    driver.wait_for("\x1b[?1l\x1b[?25h\x1b[?1000l\x1b[?1006l\x1b[?2004l\x1b>");
    assert_eq!(driver.wait(), 124, "{}", world.said());
    // What gives it back is ours, not the session's.
    assert!(!world.tape().output().ends_with(b"\x1b>"));
}

fn script(world: &World, script: &str) -> std::process::Command {
    let mut shell = world.shell();
    shell.args(["open", "--", "sh", "-c", script]);
    shell
}
