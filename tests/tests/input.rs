//! Standard input that is no terminal: scripts, pipes, nothing.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::support::world::{World, stderr};

#[test]
fn a_script_on_standard_input_is_run_and_recorded() {
    let world = World::new();
    let output = fed(&world, b"echo $((6*7)); exit 5\n", &["sh"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("42\n"), "{output:?}");
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.input(), b"echo $((6*7)); exit 5\n");
    assert_eq!(tape.note("genesis")["about"]["input"], "stream");
    assert_eq!(tape.output(), output.stdout);
}

#[test]
fn a_script_that_just_ends_ends_its_shell() {
    let world = World::new();
    let output = fed(&world, b"true\n", &["sh"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(world.tape().notices("stdin-closed").len(), 1);
}

#[test]
fn every_program_of_a_session_sees_the_end_of_an_ended_input() {
    let world = World::new();
    let output = fed(
        &world,
        b"one line\n",
        &["sh", "-c", "cat >$HOME/a; cat >$HOME/b; cat >$HOME/c; echo done"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.ends_with(b"done\n"), "{output:?}");
    let read = |name: &str| std::fs::read(world.home().join(name)).unwrap();
    assert_eq!((read("a"), read("b"), read("c")), (b"one line\n".to_vec(), vec![], vec![]));
}

#[test]
fn input_without_a_last_line_feed_arrives_whole() {
    let world = World::new();
    let output = fed(&world, b"no line feed", &["sh", "-c", "cat >$HOME/a"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::read(world.home().join("a")).unwrap(), b"no line feed");
}

#[test]
fn no_input_at_all_is_an_ended_input() {
    let world = World::new();
    let null = world.shell().args(["open", "--", "cat"]).output().unwrap();
    assert_eq!(null.status.code(), Some(0), "{}", stderr(&null));
    let mut closed = world.command("sh");
    closed.args(["-c", "exec \"$0\" open -- cat <&-", env!("CARGO_BIN_EXE_shell-under-test")]);
    let closed = closed.output().unwrap();
    assert_eq!(closed.status.code(), Some(0), "{}", stderr(&closed));
    world.tapes().iter().for_each(crate::support::tape::Tape::assert_intact);
}

#[test]
fn a_file_is_as_good_as_a_pipe() {
    let world = World::new();
    let script = world.home().join("script");
    std::fs::write(&script, "echo from a file\n").unwrap();
    let output = world
        .shell()
        .args(["open", "--", "sh"])
        .stdin(std::fs::File::open(script).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("from a file\n"), "{output:?}");
}

#[test]
fn every_byte_of_a_pipe_goes_in_and_comes_out_as_it_is() {
    let world = World::new();
    // What a terminal in line mode obeys, cuts or changes: ^C, ^D, ^Z, carriage returns, lines beyond 4,095 bytes.
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).cycle().take(20_000).collect();
    let long = [&b"x".repeat(100_000), &b"\n"[..]].concat();
    let bytes = [&b"select 1;\n\x03\x04\x1a"[..], &all, &long, &all, b"no line feed"].concat();
    let output = fed(&world, &bytes, &["cat"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let tape = world.tape();
    tape.assert_intact();
    for (what, found) in
        [("shown", &output.stdout), ("input", &tape.input()), ("output", &tape.output())]
    {
        assert!(*found == bytes, "{what}: {} of {} bytes", found.len(), bytes.len());
    }
    assert_eq!(tape.notices("unread").len(), 0);
}

#[test]
fn a_socket_is_as_good_as_a_pipe() {
    let world = World::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut shell = world.shell();
    shell.args(["open", "--", "cat"]).stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
    let child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It keeps its end of the socket until it is dropped.
    drop(shell);
    let sent = bytes.clone();
    let feeder = std::thread::spawn(move || (&ours).write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout == bytes, "{} of {} bytes", output.stdout.len(), bytes.len());
    world.tape().assert_intact();
}

#[test]
fn what_a_program_does_not_read_of_its_input_is_said() {
    let world = World::new();
    for command in ["dd bs=1 count=5 of=$HOME/got", "dd bs=1 count=5 of=$HOME/got; exec <&-; wait"]
    {
        let output = fed(&world, &b"0123456789".repeat(30_000), &["sh", "-c", command]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(std::fs::read(world.home().join("got")).unwrap(), b"01234");
        let tape = world.tapes().pop().unwrap();
        tape.assert_intact();
        let unread = tape.notices("unread")[0]["bytes"].as_u64().unwrap();
        assert_eq!(tape.input().len() as u64 - unread, 5);
    }
}

#[test]
fn input_that_nobody_reads_holds_no_deadline_up() {
    let world = World::new();
    let mut shell = world.shell();
    shell.args(["open", "--max-duration", "1s", "--", "sleep", "1000"]);
    let output = shell.stdin(std::fs::File::open("/dev/zero").unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
    world.tape().assert_intact();
}

#[test]
fn whoever_asks_the_terminal_hears_that_nobody_types() {
    let world = World::new();
    let ask =
        "import getpass\ntry:\n getpass.getpass('secret: ')\nexcept EOFError:\n print('nobody')";
    let output = fed(&world, b"for the program\n", &["python3", "-c", ask]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.ends_with(b"nobody\n"), "{output:?}");
}

#[test]
fn five_megabytes_arrive_byte_for_byte() {
    let world = World::new();
    let lines: String = (0..100_000)
        .map(|n| format!("line {n:06} of a dump that is restored in an emergency\n"))
        .collect();
    let output = fed(&world, lines.as_bytes(), &["sh", "-c", "cat >$HOME/a; wc -c <$HOME/a"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        std::fs::read(world.home().join("a")).unwrap() == lines.as_bytes(),
        "{:?}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_program_that_reads_nothing_can_end_all_the_same() {
    let world = World::new();
    let output = fed(&world, &b"nobody reads this\n".repeat(100_000), &["sh", "-c", "exit 6"]);
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    world.tape().assert_intact();
}

/// Runs a command with these bytes on its standard input, through a pipe.
fn fed(world: &World, input: &[u8], command: &[&str]) -> Output {
    let mut shell = world.shell();
    shell.args(["open", "--"]).args(command);
    let mut child =
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // A session that has ended takes no more.
        drop(stdin.write_all(&input));
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}
