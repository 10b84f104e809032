//! What an auditor and compliance do with a tape.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::support::driver::{Driver, find};
use crate::support::memory::objects_of;
use crate::support::second::Second;
use crate::support::world::{World, stderr};

fn replay(world: &World, args: &[&str]) -> Output {
    world.replay().args(args).output().unwrap()
}

/// One error line, one hint, nothing on standard output, and that exit code.
fn refused(world: &World, args: &[&str], code: i32, what: &str) {
    let output = replay(world, args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert!(said.contains("error: ") && said.contains(what), "{args:?}: {said}");
}

#[test]
fn verifying_needs_no_opening_key_and_playing_does() {
    let world = World::new();
    world.record("echo hello");
    fs::rename(world.state().join("keys/open.pem"), world.home().join("elsewhere.pem")).unwrap();
    assert_eq!(world.verify("last")["verdict"], "intact");
    refused(&world, &["play", "last"], 2, "open.pem");
    let key = world.home().join("elsewhere.pem");
    let played = replay(&world, &["--key", key.to_str().unwrap(), "play", "last"]);
    assert!(String::from_utf8_lossy(&played.stdout).contains("hello"), "{}", stderr(&played));
}

#[test]
fn stock_asciinema_plays_an_export_with_vim_colours_bad_bytes_and_a_resize() {
    let world = World::new();
    let mut shell = world.shell();
    let script = "printf '\\033[38;5;208mcolour\\033[0m \\377\\376 caf\\303\\251\\r\\n'; \
        vim -u NONE -N +'normal ihello from vim' +redraw; echo after-vim; read -r _; stty size";
    shell.args(["open", "--", "sh", "-c", script]);
    let mut driver = Driver::spawn_sized(shell, 90, 25);
    driver.wait_for("hello from vim");
    driver.send(":q!\r");
    driver.wait_for("after-vim");
    driver.resize(100, 30);
    driver.send("\r");
    driver.wait_for("30 100");
    assert_eq!(driver.wait(), 0);
    world.tape().assert_intact();
    let cast = world.home().join("last.cast");
    fs::write(&cast, world.export("cast")).unwrap();
    let mut asciinema = world.command("asciinema");
    asciinema.arg("cat").arg(&cast);
    // It wants a terminal, and makes it raw.
    let mut player = Driver::spawn_sized(asciinema, 100, 30);
    assert_eq!(player.wait(), 0, "{}", player.screen());
    let shown = player.shown();
    let events = world.tape().events();
    let text: String = events
        .iter()
        .filter(|event| event.line.code == 'o')
        .map(|event| event.line.data.as_str())
        .collect();
    assert_eq!(String::from_utf8_lossy(&shown), text);
    for seen in ["colour", "caf\u{e9}", "\u{fffd}", "hello from vim"] {
        assert!(text.contains(seen), "{seen}");
    }
    let resized = String::from_utf8(world.export("cast")).unwrap();
    assert!(resized.contains("100x30"), "the resize is in the export");
}

#[test]
fn the_second_implementation_opens_a_fresh_tape_to_the_same_lines() {
    let world = World::new();
    world.record("printf 'plain caf\\303\\251 \\377 end'");
    let tape = world.tape();
    let theirs = Second::open(&world.state().join("keys"), &tape.id(), &objects_of(&tape.dir));
    let lines: Vec<Value> = String::from_utf8(theirs)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let theirs: Vec<_> = lines[1..]
        .iter()
        .filter(|line| line[1] != "B")
        .map(|line| (line[1].as_str().unwrap().to_owned(), line[2].as_str().unwrap().to_owned()))
        .collect();
    let ours: Vec<_> = tape
        .events()
        .into_iter()
        .map(|event| (event.line.code.to_string(), event.line.data))
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn what_is_not_there_or_not_clear_is_told_with_a_hint() {
    let world = World::new();
    refused(&world, &["play", "last"], 2, "no session");
    world.record("true");
    world.record("true");
    refused(&world, &["play", "ffff"], 2, "ffff");
    refused(&world, &["verify", "0"], 2, "0");
    for speed in ["0", "-1", "NaN"] {
        refused(&world, &["play", "last", "--speed", speed], 2, "speed");
    }
    refused(&world, &["verify", "/nonexistent/../nowhere"], 2, "nowhere");
    let file = world.home().join("a-file");
    fs::write(&file, "not a tape").unwrap();
    refused(&world, &["verify", file.to_str().unwrap()], 2, "a-file");
}

#[test]
fn a_path_with_dots_in_it_is_a_path() {
    let world = World::new();
    world.record("true");
    let dir = world.tape().dir;
    let winding = format!("{}/../{}", dir.display(), dir.file_name().unwrap().to_str().unwrap());
    assert_eq!(world.verify(&winding)["verdict"], "intact");
}

#[test]
fn a_wholly_deleted_session_leaves_a_hole() {
    let world = World::new();
    for _ in 0..3 {
        world.record("true");
    }
    assert_eq!(replay(&world, &["verify", "--all"]).status.code(), Some(0));
    fs::remove_dir_all(&world.tapes()[1].dir).unwrap();
    let output = replay(&world, &["verify", "--all", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let last = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
    assert!(last.contains("missing"), "{last}");
}

#[test]
fn the_list_is_newest_first_and_shows_nothing_raw() {
    let world = World::new();
    for reason in ["first", "evil \x1b[31m\u{202e}reason"] {
        world.shell().args(["open", "--reason", reason, "--", "true"]).output().unwrap();
    }
    let output = replay(&world, &["ls"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}'), "{text:?}");
    let place = |word: &str| text.find(word).unwrap_or_else(|| panic!("no {word}: {text}"));
    assert!(place("evil") < place("first"));
}

#[test]
fn playing_on_a_terminal_shows_the_session_and_restores_the_terminal() {
    let world = World::new();
    world.record("printf 'shown on play'; sleep 0.2; printf 'and more'");
    let mut play = world.replay();
    play.args(["play", "last", "--idle-limit", "10ms"]);
    let mut driver = Driver::spawn(play);
    let before = format!("{:?}", driver.settings());
    driver.wait_for("and more");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    assert_eq!(before, format!("{:?}", driver.settings()));
}

#[test]
fn what_a_recording_does_to_a_terminal_reaches_it_only_when_asked_for() {
    let world = World::new();
    world.record("printf '\\033]0;retitled\\007\\033]52;c;aGk=\\007harmless'");
    for (args, exact) in [(["play", "last"].as_slice(), false), (&["play", "last", "--raw"], true)]
    {
        let mut play = world.replay();
        play.args(args);
        let mut driver = Driver::spawn(play);
        assert_eq!(driver.wait(), 0, "{}", driver.screen());
        let shown = driver.shown();
        assert!(find(&shown, b"harmless").is_some());
        assert_eq!(find(&shown, b"\x1b]0;retitled").is_some(), exact);
        assert_eq!(find(&shown, b"\x1b]52;").is_some(), exact);
    }
}

#[test]
fn a_player_is_stopped_and_continued_by_the_shell_that_runs_it() {
    let world = World::new();
    world.record("echo before; sleep 3; echo after");
    let replay = world.replay();
    let mut shell = world.command("bash");
    shell.args(["--norc", "-i"]).env("PS1", "ready> ");
    let mut driver = Driver::spawn(shell);
    driver.wait_for("ready> ");
    driver.send(format!("{} play last\n", replay.get_program().to_str().unwrap()));
    driver.wait_for("before");
    driver.send("\x1a");
    driver.wait_for("Stopped");
    driver.send("stty -a | grep -o ' icanon'; echo mode-$((40 + 2))\n");
    driver.wait_for("mode-42");
    assert!(driver.screen().contains(" icanon"), "{}", driver.screen());
    driver.send("fg; echo over-$((40 + 2))\n");
    driver.wait_for("over-42");
    assert!(find(&driver.bytes(), b"after").is_some(), "{}", driver.screen());
    driver.send("exit\n");
    driver.wait();
}

#[test]
fn a_broken_tape_is_not_played_but_its_good_part_is() {
    let world = World::new();
    world.record("printf 'good part'");
    let seal = world.tape().dir.join("seal");
    let mut bytes = fs::read(&seal).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::remove_file(&seal).unwrap();
    fs::write(&seal, bytes).unwrap();
    refused(&world, &["play", "last"], 1, "broken");
    let output = replay(&world, &["play", "last", "--up-to-break"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("good part"), "{}", stderr(&output));
}
