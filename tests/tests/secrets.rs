//! What is typed at a secret prompt, on the session's terminal and elsewhere.

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

#[test]
fn a_password_that_is_read_on_another_terminal_of_the_session_is_not_on_the_tape() {
    let root = rustix::process::getuid().is_root();
    for within in [
        "script -qc 'python3 ask' /dev/null",
        "tmux -S $HOME/tmux -f /dev/null new-session python3 ask",
        "screen -c /dev/null python3 ask",
        "sudo -n python3 $HOME/ask",
    ] {
        if within.starts_with("sudo") && !root {
            println!("skipped: {within} needs root");
            continue;
        }
        let world = World::new();
        std::fs::write(world.home().join("ask"), format!("got = {:?}{ASK}", world.home())).unwrap();
        let mut driver = open(&world, &[], "sh", within);
        driver.wait_for("the word: ");
        for key in PASSWORD.bytes() {
            driver.send([key]);
        }
        driver.send("\r");
        assert_eq!(driver.wait(), 0, "{within} {}", driver.screen());
        reached_the_program(&world);
        let tape = world.tape();
        is_nowhere(&tape);
        assert_eq!(redacted(&tape), PASSWORD.len() as u64 + 1, "{within}");
        assert_eq!(tape.notices("redacted")[0]["by"], "inner");
    }
}

#[test]
fn a_terminal_that_no_person_answers_or_of_another_login_hides_no_keys() {
    let elsewhere = World::new();
    let mut other = open(&elsewhere, &[], "sh", "stty -echo; echo asking; read word");
    other.wait_for("asking");
    let world = World::new();
    let mut driver = open(&world, &[], "python3", LEFT_TO_A_CHILD);
    driver.wait_for("ready");
    driver.send("plain");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    assert_eq!((world.tape().input(), redacted(&world.tape())), (b"plain".to_vec(), 0));
    other.send("\r");
    assert_eq!(other.wait(), 0);
}

#[test]
fn a_password_that_is_asked_for_in_words_is_not_on_the_tape() {
    for (program, script) in [
        ("fish", "read -s -P 'Password: ' word; echo $word >$HOME/got; read -P 'name: ' name"),
        // What a prompt on another host is to a session: somebody else's line mode.
        ("python3", FAR),
    ] {
        let world = World::new();
        let mut driver = open(&world, &[], program, script);
        driver.wait_for("assword:");
        driver.send(&PASSWORD[..3]);
        driver.send(format!("{}\r", &PASSWORD[3..]));
        driver.wait_for("name: ");
        driver.send("bob\r");
        assert_eq!(driver.wait(), 0, "{}", driver.screen());
        reached_the_program(&world);
        let tape = world.tape();
        assert_eq!(String::from_utf8_lossy(&tape.input()), "bob\r", "{program}");
        is_nowhere(&tape);
        assert_eq!(redacted(&tape), PASSWORD.len() as u64 + 1, "{program}");
        assert_eq!(tape.notices("redacted")[0]["by"], "prompt");
    }
}

#[test]
fn what_stars_stand_for_is_not_on_the_tape_from_the_second_key_on() {
    let world = World::new();
    let box_ = "whiptail --passwordbox Please 8 40 2>$HOME/got; stty echo; read -r line";
    let mut driver = open(&world, &[], "sh", box_);
    driver.wait_for("<Ok>");
    driver.send(&PASSWORD[..1]);
    driver.wait_for("*");
    driver.send(&PASSWORD[1..]);
    driver.send("\r");
    driver.wait_for("\x1b[?1049l");
    driver.send("bob\r");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    reached_the_program(&world);
    let tape = world.tape();
    assert_eq!(tape.input(), format!("{}bob\r", &PASSWORD[..1]).as_bytes());
    assert_eq!(redacted(&tape), PASSWORD.len() as u64);
    assert_eq!(tape.notices("redacted")[0]["by"], "mask");
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
/// Asks on its own terminal, and leaves what it was told beside itself.
const ASK: &str = "
import getpass, os
open(got + '/got', 'w').write(getpass.getpass('the word: '))
";
/// Reads keys, while a child of its own reads nothing on a terminal as Emacs makes one: no echo, and Enter is no end.
const LEFT_TO_A_CHILD: &str = "import os, pty, termios, time, tty
child, master = pty.fork()
if child == 0:
    time.sleep(1000)
modes = termios.tcgetattr(master)
modes[0] &= ~termios.ICRNL
modes[3] &= ~termios.ECHO
termios.tcsetattr(master, termios.TCSANOW, modes)
tty.setraw(0)
os.write(1, b'ready')
os.read(0, 5)
os._exit(0)";
const FAR: &str = "import os, termios, tty
def line():
    typed = b''
    while not typed.endswith(b'\\r'):
        typed += os.read(0, 1)
    return typed
tty.setraw(0)
os.write(1, b\"bob@db's password: \")
word = line()
os.write(1, b'\\r\\nname: ')
line()
open(os.environ['HOME'] + '/got', 'wb').write(word.rstrip())";
