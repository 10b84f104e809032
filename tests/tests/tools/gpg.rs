//! A passphrase that an agent asks for, on the terminal that a variable names.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;

use crate::support::driver::{Driver, find};
use crate::support::world::World;

#[test]
fn gpg_asks_for_its_passphrase_on_the_sessions_terminal() {
    let world = World::new();
    let keys = world.home().join(".gnupg");
    fs::DirBuilder::new().mode(0o700).create(&keys).unwrap();
    let agent = "pinentry-program /usr/bin/pinentry-curses\n";
    fs::write(keys.join("gpg-agent.conf"), agent).unwrap();
    let make = format!(
        "gpg -q --batch --passphrase {PASSPHRASE} --quick-gen-key tester default default \
        && gpgconf --kill gpg-agent"
    );
    let made = world.command("sh").args(["-c", &make]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::write(world.home().join("words"), "to be signed\n").unwrap();
    let mut shell = world.quiet_shell();
    // Outside the variable names another terminal.
    shell.env("GPG_TTY", "/dev/pts/ptmx");
    shell.args(["open", "--", "gpg", "-q", "--sign", "words"]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("Passphrase: ");
    driver.send(&PASSPHRASE[..1]);
    driver.wait_for("*");
    driver.send(&PASSPHRASE[1..]);
    driver.send("\r");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    let signed = world.command("gpg").args(["-q", "--decrypt", "words.gpg"]).output().unwrap();
    assert_eq!(signed.stdout, b"to be signed\n", "{signed:?}");
    let tape = world.tape();
    assert!(find(&tape.bytes('o'), b"Passphrase: ").is_some());
    assert!(find(&tape.input(), &PASSPHRASE.as_bytes()[1..]).is_none());
}

const PASSPHRASE: &str = "secret123";
