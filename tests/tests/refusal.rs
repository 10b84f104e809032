//! What cannot begin: one line, one hint, an exit code, and no session.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::process::install;
use crate::support::resident::Resident;
use crate::support::world::{World, stderr};

#[test]
fn a_command_that_does_not_exist_is_127() {
    refuses(127, "cannot find no-such-command", |shell| {
        shell.args(["open", "--", "no-such-command"])
    });
    refuses(127, "cannot find /no/such/command", |shell| {
        shell.args(["open", "--", "/no/such/command"])
    });
    refuses(127, "cannot find /no/such/shell", |shell| shell.args(["--shell", "/no/such/shell"]));
    refuses(127, "cannot find /no/such/shell", |shell| shell.env("SHELL", "/no/such/shell"));
}

#[test]
fn a_file_that_cannot_be_executed_is_126() {
    refuses(126, "cannot run /etc/passwd: not executable", |shell| {
        shell.args(["open", "--", "/etc/passwd"])
    });
    refuses(126, "cannot run /etc/passwd: not executable", |shell| {
        shell.env("SHELL", "/etc/passwd")
    });
}

#[test]
fn without_any_shell_there_is_no_session() {
    refuses(125, "no shell: $SHELL is not set", |shell| shell.env_remove("SHELL"));
    refuses(125, "no shell: $SHELL is not set", |shell| shell.env("SHELL", ""));
}

#[test]
fn an_unknown_role_is_refused() {
    refuses(125, "there is no role \"admin\"", |shell| shell.args(["--role", "admin"]));
}

#[test]
fn without_a_place_for_evidence_there_is_no_session() {
    let world = World::new();
    let mut shell = world.shell();
    shell.env_remove("XDG_STATE_HOME").env("HOME", "not/absolute").args(["open", "--", "true"]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("no place for the practice world"), "{}", stderr(&output));
}

#[test]
fn where_somebody_else_may_change_keys_and_recordings_there_is_no_session() {
    let world = World::new();
    fs::create_dir(world.state()).unwrap();
    let refused = |why: &str| {
        let output = world.record("touch ran");
        assert_eq!(output.status.code(), Some(125), "{why}");
        let said = stderr(&output);
        assert!(
            said.contains("cannot keep keys and recordings in") && said.contains(why),
            "{said}"
        );
        assert!(!world.home().join("ran").exists() && world.spools().is_empty());
    };
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o777)).unwrap();
    refused("anybody may change what is in it");
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(world.state(), Some(65534), Some(65534)).unwrap();
        refused("it belongs to nobody");
        std::os::unix::fs::chown(world.state(), Some(0), Some(0)).unwrap();
    }
    assert_eq!(world.record("exit 3").status.code(), Some(3));
}

#[test]
fn with_too_few_processes_there_is_no_session_or_a_whole_one() {
    let world = World::new();
    let Some(resident) = Resident::of(&world) else { return };
    let shell = resident.shell(&world);
    resident.moves_in(&world);
    for most in 1..=32 {
        let shell = resident.command(&world, shell.to_str().unwrap());
        let mut limited = world.command("prlimit");
        limited.arg(format!("--nproc={most}")).arg(shell.get_program()).args(shell.get_args());
        let output = limited.args(["open", "--", "true"]).output().unwrap();
        let said = stderr(&output);
        let whole = said.contains("read back from the store: intact");
        assert!(!said.contains("panicked") && output.status.code().is_some(), "{most}: {said}");
        assert!(whole || said.contains("bg-shell: error: "), "{most}: {said}");
        assert!(output.status.code() != Some(0) || whole, "{most}: {said}");
    }
    assert_eq!(world.processes(), []);
}

#[test]
fn what_the_command_line_cannot_mean_is_125_and_told_on_standard_error() {
    for args in [
        &["--no-such-option"][..],
        &["--max-duration", "0s"],
        &["--max-duration", "soon"],
        &["no-such-verb"],
    ] {
        let world = World::new();
        let output = world.shell().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{args:?}");
        assert!(
            output.stdout.is_empty() && stderr(&output).contains("error:"),
            "{args:?}: {output:?}"
        );
        assert!(!world.state().exists());
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for args in [&["--help"][..], &["--version"], &["open", "--help"], &["recover", "--help"]] {
        let world = World::new();
        let output = world.shell().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}: {output:?}");
        assert!(!world.state().exists());
    }
}

fn refuses(code: i32, what: &str, ask: impl Fn(&mut Command) -> &mut Command) {
    let world = World::new();
    let mut shell = world.shell();
    let output = ask(&mut shell).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let said = stderr(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with(&format!("bg-shell: error: {what}")), "{said}");
    assert!(lines[1].starts_with("bg-shell: hint: "), "{said}");
    assert!(output.stdout.is_empty());
    assert_eq!((world.tapes().len(), world.spools().len()), (0, 0));
}

#[test]
fn who_may_start_no_more_threads_is_told_so() {
    let world = World::new();
    let config = world.home().join("config.toml");
    std::fs::write(&config, "[evidence]\nstore = \"s3://bucket/tapes\"\n").unwrap();
    let program = world.home().join("shell");
    install(env!("CARGO_BIN_EXE_shell-under-test"), &program);
    let mut shell = world.command("setpriv");
    // Root has no such limit.
    if rustix::process::getuid().is_root() {
        std::fs::set_permissions(world.home(), Permissions::from_mode(0o755)).unwrap();
        shell.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    shell.args(["prlimit", "--nproc=1"]).arg(&program).args(["open", "--", "true"]);
    let output = shell.env("BG_SHELL_CONFIG", &config).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("may start no more threads (ulimit -u)"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
