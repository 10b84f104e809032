//! Bytes: whatever a session writes or is sent is on the tape exactly, and nothing is dropped.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::process::resident_kib;
use crate::support::wait::until;
use crate::support::world::World;

#[test]
fn every_byte_value_is_shown_and_recorded_exactly() {
    let world = World::new();
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).chain([0; 64]).collect();
    written_is_shown_and_recorded(&world, &all);
}

#[test]
fn text_that_is_not_utf_8_is_recorded_exactly() {
    for bytes in [
        &b"\xff\xfe\xfd"[..],
        b"ok \xc3( no",
        b"\xed\xa0\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xc0\x80",
        b"end \xe2\x82",
        b"\"\\\x1b\x7f\x80",
    ] {
        written_is_shown_and_recorded(&World::new(), bytes);
    }
}

#[test]
fn what_is_no_text_is_spelled_out_for_who_reads_the_tape() {
    let world = World::new();
    let noise: Vec<u8> =
        (0..8_192u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sent = [&noise, &b" the-end-of-it\n"[..]].concat();
    written_is_shown_and_recorded(&world, &sent);
    let printed = world.replay().args(["cat", "last"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.contains(" the-end-of-it") && printed.len() > sent.len(),
        "{} bytes",
        printed.len()
    );
}

#[test]
fn a_character_that_is_split_over_writes_is_whole_for_a_player() {
    let world = World::new();
    let (mut child, mut stdout) =
        raw(&world, r"printf '<\342'; read -r x; printf '\202'; read -r x; printf '\254>'");
    let mut seen = Vec::new();
    for expected in [&b"<\xe2"[..], b"<\xe2\x82", b"<\xe2\x82\xac>"] {
        while seen.len() < expected.len() {
            seen.extend(read_some(&mut stdout));
        }
        assert_eq!(seen, expected);
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
    assert!(child.wait().unwrap().success());
    let tape = world.tape();
    assert_eq!(tape.output(), "<\u{20ac}>".as_bytes());
    let text: String = tape
        .events()
        .iter()
        .filter(|event| event.line.code == 'o')
        .map(|event| event.line.data.clone())
        .collect();
    assert_eq!(text, "<\u{20ac}>");
}

#[test]
fn every_byte_value_can_be_input() {
    let world = World::new();
    let all: Vec<u8> = (0..=255).cycle().take(2_048).collect();
    let (mut child, mut stdout) = raw(&world, "printf ready; head -c 2048 >$HOME/typed");
    assert_eq!(read_some(&mut stdout), b"ready");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&all).unwrap();
    assert!(child.wait().unwrap().success());
    drop(stdin);
    assert_eq!(std::fs::read(world.home().join("typed")).unwrap(), all);
    assert_eq!(world.tape().input(), all);
}

#[test]
fn a_burst_of_64_mib_is_recorded_byte_for_byte() {
    let world = World::new();
    let (mut child, mut stdout) = raw(&world, "head -c 67108864 /dev/urandom | tee $HOME/sent");
    let mut shown = Vec::new();
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{}", world.said());
    same(&world, &shown, 67_108_864);
}

#[test]
fn a_reader_that_stops_reading_holds_the_session_up_and_loses_nothing() {
    let world = World::new();
    let (mut child, mut stdout) = raw(&world, "head -c 16777216 /dev/urandom | tee $HOME/sent");
    let mut shown = read_some(&mut stdout);
    let sent = world.home().join("sent");
    let mut lengths = vec![0];
    until("the session to stand still", || {
        lengths.push(std::fs::metadata(&sent).unwrap().len());
        lengths.iter().rev().take(40).all(|len| len == lengths.last().unwrap())
            && lengths.len() > 40
    });
    assert!(*lengths.last().unwrap() < 4_000_000, "{lengths:?}");
    assert!(resident_kib(child.id()) < 65_536);
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{}", world.said());
    same(&world, &shown, 16_777_216);
}

#[test]
fn a_slow_reader_gets_the_last_bytes_of_a_session_that_has_ended() {
    let world = World::new();
    // More than a pipe holds; the rest fits a pty, however small the chunks are that are read from it.
    let (mut child, mut stdout) =
        raw(&world, "head -c 72000 /dev/urandom >$HOME/sent; cat $HOME/sent; : >$HOME/done");
    until("the end of the session", || world.home().join("done").exists());
    let leader = || world.processes().iter().any(|process| process.args.starts_with("sh -c"));
    until("the leader's end", || !leader());
    // Whoever pages through the output takes longer than any patience that a program can have.
    crate::support::wait::within(std::time::Duration::from_secs(7), || {
        child.try_wait().unwrap().is_some()
    });
    let mut shown = Vec::new();
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{}", world.said());
    same(&world, &shown, 72_000);
}

#[test]
fn a_session_may_let_go_of_its_terminal_and_come_back_to_it() {
    let world = World::new();
    let away = "exec 3</dev/tty </dev/null >/dev/null 2>&1 3<&-; : >$HOME/away; until [ -e $HOME/back ]; do :; done; printf here >/dev/tty";
    let (mut child, mut stdout) = raw(&world, away);
    until("a session without its terminal", || world.home().join("away").exists());
    crate::support::wait::within(std::time::Duration::from_millis(100), || {
        child.try_wait().unwrap().is_some()
    });
    std::fs::write(world.home().join("back"), "").unwrap();
    let mut shown = Vec::new();
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!((shown, world.tape().output()), (b"here".to_vec(), b"here".to_vec()));
}

fn written_is_shown_and_recorded(world: &World, bytes: &[u8]) {
    std::fs::write(world.home().join("sent"), bytes).unwrap();
    let (mut child, mut stdout) = raw(world, "cat $HOME/sent");
    let mut shown = Vec::new();
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(shown, bytes);
    same(world, &shown, bytes.len());
}

fn same(world: &World, shown: &[u8], len: usize) {
    assert_eq!(shown.len(), len);
    let tape = world.tape();
    tape.assert_intact();
    assert!(std::fs::read(world.home().join("sent")).unwrap() == shown);
    assert!(tape.output() == shown);
    assert_eq!(tape.note("seal")["totals"]["o"]["bytes"], len);
}

/// Runs a script with pipes at both ends.
fn raw(world: &World, script: &str) -> (Child, ChildStdout) {
    let mut shell: Command = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", script]);
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    (child, stdout)
}

fn read_some(from: &mut ChildStdout) -> Vec<u8> {
    let mut buffer = vec![0; 4_096];
    let read = from.read(&mut buffer).unwrap();
    buffer.truncate(read);
    buffer
}
