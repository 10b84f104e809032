//! What a session can reach of those who hold it.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::driver::Driver;
use crate::support::world::{World, stderr};

#[test]
fn no_descriptor_of_the_invoking_shell_reaches_the_session() {
    let world = World::new();
    let shell = env!("CARGO_BIN_EXE_shell-under-test");
    let script = format!("exec 7>hidden; {shell} open -- sh -c 'echo out >&7'");
    let output =
        world.command("sh").current_dir(world.home()).args(["-c", &script]).output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{}", stderr(&output));
    let hidden = std::fs::read(world.home().join("hidden")).unwrap();
    assert!(hidden.is_empty(), "{hidden:?}");
    let said = String::from_utf8_lossy(&world.export("raw")).into_owned();
    assert!(said.contains("Bad file descriptor"), "{said}");
}

#[test]
fn the_keeper_cannot_be_traced_from_inside() {
    let world = World::new();
    // Reading a process's environment needs what tracing it needs (proc_pid_environ(5), ptrace(2)).
    let look = "cat /proc/1/environ > /dev/null; cat /proc/self/environ > /dev/null && echo done";
    let home = world.home().join("somebody");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(world.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Where the tests run as root, the session is another user's, who may not be able to reach the build.
    let program = world.home().join("shell");
    std::fs::copy(env!("CARGO_BIN_EXE_shell-under-test"), &program).unwrap();
    let mut shell = world.command("setpriv");
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
        shell.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    shell.arg(program).args(["open", "--", "sh", "-c", look]);
    let output = shell.env("HOME", &home).env("XDG_STATE_HOME", &home).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("done"), "{shown} {}", stderr(&output));
    assert!(shown.to_lowercase().contains("denied"), "{shown}");
}

#[test]
fn a_session_in_the_background_is_refused_and_does_not_spin() {
    let world = World::new();
    let mut bash = world.command("bash");
    bash.args(["--norc", "-i"]).env("PS1", "ready> ");
    let mut driver = Driver::spawn(bash);
    driver.wait_for("ready> ");
    driver.send(format!("{} open -- true &\r", env!("CARGO_BIN_EXE_shell-under-test")));
    driver.wait_for("cannot begin in the background");
    driver.send("wait; exit 0\r");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
}
