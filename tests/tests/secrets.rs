//! What is typed at a secret prompt.

use crate::support::driver::{Driver, find};
use crate::support::tape::Tape;
use crate::support::world::World;

#[test]
fn a_password_that_bash_reads_is_not_on_the_tape() {
    let world = World::new();
    let mut driver = open(&world, &[], "bash", BASH);
    driver.wait_for("name: ");
    driver.send("alice\r");
    driver.wait_for("armed");
    driver.send(format!("{PASSWORD}\r"));
    driver.wait_for("again: ");
    driver.send("yes\r");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    reached_the_program(&world);
    let tape = world.tape();
    assert_eq!(tape.input(), b"alice\ryes\r");
    is_nowhere(&tape);
    assert_eq!(redacted(&tape), PASSWORD.len() as u64 + 1);
}

#[test]
fn a_password_that_python_reads_is_not_on_the_tape() {
    let world = World::new();
    let mut driver = open(&world, &[], "python3", PYTHON);
    driver.wait_for("secret: ");
    // One key at a time, as a person types: each is an event of its own.
    for key in PASSWORD.bytes() {
        driver.send([key]);
    }
    driver.send("\r");
    driver.wait_for("name: ");
    driver.send("bob\r");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    reached_the_program(&world);
    let tape = world.tape();
    assert_eq!(tape.input(), b"bob\r");
    is_nowhere(&tape);
    assert_eq!(redacted(&tape), PASSWORD.len() as u64 + 1);
}

#[test]
fn a_password_is_recorded_where_the_configuration_says_so() {
    let world = World::new();
    let config = world.home().join("config.toml");
    std::fs::write(&config, "[practice]\nsecrets = \"record\"\n").unwrap();
    let mut driver = open(&world, &["--config", config.to_str().unwrap()], "python3", PYTHON);
    driver.wait_for("secret: ");
    driver.send(format!("{PASSWORD}\r"));
    driver.wait_for("name: ");
    driver.send("bob\r");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    reached_the_program(&world);
    let tape = world.tape();
    assert_eq!(tape.input(), format!("{PASSWORD}\rbob\r").as_bytes());
    assert_eq!(redacted(&tape), 0);
    assert_eq!(tape.note("genesis")["about"]["secrets"], "record");
}

#[test]
fn input_to_programs_in_raw_mode_is_no_secret() {
    let world = World::new();
    let mut driver = open(&world, &[], "bash", "stty raw -echo; echo ready; head -c 5 >$HOME/got");
    driver.wait_for("ready");
    driver.send("plain");
    assert_eq!(driver.wait(), 0);
    assert_eq!((world.tape().input(), redacted(&world.tape())), (b"plain".to_vec(), 0));
}

fn open(world: &World, args: &[&str], program: &str, script: &str) -> Driver {
    let mut shell = world.quiet_shell();
    shell.arg("open").args(args).args(["--", program, "-c", script]);
    Driver::spawn(shell)
}

fn reached_the_program(world: &World) {
    assert_eq!(std::fs::read_to_string(world.home().join("got")).unwrap().trim_end(), PASSWORD);
}

/// Neither in any line of the opened tape nor in all bytes of a code put together.
fn is_nowhere(tape: &Tape) {
    for event in tape.events() {
        assert!(find(event.line.data.as_bytes(), PASSWORD.as_bytes()).is_none(), "{event:?}");
    }
    for code in "oimxrN".chars() {
        assert!(find(&tape.bytes(code), PASSWORD.as_bytes()).is_none(), "{code}");
    }
}

fn redacted(tape: &Tape) -> u64 {
    tape.notices("redacted").iter().map(|notice| notice["bytes"].as_u64().unwrap()).sum()
}

const PASSWORD: &str = "correct-h0rse-battery!";
/// Bash prints a prompt before it turns echo off: somebody else in the session says when it has.
const BASH: &str = "read -p 'name: ' name; \
    (until stty -a </dev/tty | grep -q -e ' -echo '; do :; done; printf armed) & \
    read -s password; wait; echo \"$password\" >$HOME/got; read -p 'again: ' again";
const PYTHON: &str = "import getpass, os
open(os.environ['HOME'] + '/got', 'w').write(getpass.getpass('secret: '))
input('name: ')";
