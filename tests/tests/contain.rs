//! What a session can reach of those who hold it.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use bg_recorder::session::SessionId;
use rustix::process::Signal;

use crate::support::driver::Driver;
use crate::support::process::install;
use crate::support::wait::until;
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
    // Reading a process's environment needs what tracing it needs (proc_pid_environ(5), ptrace(2)).
    for (by, keeper) in [("namespace", "1"), ("subreaper", "$PPID")] {
        let world = World::new();
        let look = format!(
            "cat /proc/{keeper}/environ > /dev/null; cat /proc/self/environ > /dev/null && echo done"
        );
        let output = somebody(&world, by).args(["open", "--", "sh", "-c", &look]).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("done"), "{shown} {}", stderr(&output));
        assert!(shown.to_lowercase().contains("denied"), "{shown}");
    }
}

/// Returns `bg-shell` as an ordinary user: where the tests run as root, another one.
pub fn somebody(world: &World, by: &str) -> Command {
    world.contain(by);
    let home = world.home();
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Who is not root may not be able to reach the build.
    let program = home.join("shell");
    install(env!("CARGO_BIN_EXE_shell-under-test"), &program);
    let mut shell = world.command("setpriv");
    if rustix::process::getuid().is_root() {
        for dir in [home, &home.join(".config")] {
            std::os::unix::fs::chown(dir, Some(65534), Some(65534)).unwrap();
        }
        shell.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    shell.arg(program);
    shell
}

#[test]
fn who_may_make_a_cgroup_is_held_by_one_and_the_host_stays_what_it_is() {
    let world = World::new();
    if !cgroups_here() || !rustix::process::getuid().is_root() {
        return;
    }
    let script = format!(
        "kill -0 {} && mkdir m && mount -t tmpfs none m && touch m/seen; \
         (trap '' HUP TERM; setsid setpriv --reuid=65534 sh -c ': >$HOME/m/up; exec sleep 1000' &); \
         until [ -e m/up ]; do :; done; exit 3",
        std::process::id()
    );
    let script = format!("umask 0; cd $HOME; chmod 755 .; {script}");
    let output = world.record(&script);
    let mounted = world.home().join("m/seen").exists();
    let unmounted = Command::new("umount").arg(world.home().join("m")).status().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(mounted && unmounted.success(), "what is mounted inside is mounted");
    assert_eq!(world.processes(), []);
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("genesis")["about"]["containment"], "cgroup");
    assert!(tape.note("seal")["about"]["killed"].as_u64().unwrap() >= 1);
    let said = stderr(&output);
    assert!(said.contains("contained by a cgroup: all that it starts ends with it"), "{said}");
    let mut find = Command::new("find");
    find.args(["/sys/fs/cgroup", "-name"]).arg(format!("*{}", tape.id()));
    assert!(find.output().unwrap().stdout.is_empty());
}

pub fn cgroups_here() -> bool {
    let made = Command::new("sh").args(["-c", MAKES_CGROUPS]).status().unwrap().success();
    if !made {
        println!("skipped: no cgroup v2 that this user may make something in");
    }
    made
}

#[test]
fn everything_that_the_kernel_holds_dies_with_the_recorder() {
    for by in ["cgroup", "namespace"] {
        if by == "cgroup" && !cgroups_here() {
            continue;
        }
        let world = World::new();
        let mut shell = world.contain(by).shell();
        let script =
            "trap '' HUP; setsid sh -c 'trap \"\" HUP; echo ready; exec sleep 1000' & wait";
        shell.args(["open", "--", "sh", "-c", script]);
        let mut driver = Driver::spawn(shell);
        driver.wait_for("ready");
        driver.signal(Signal::KILL);
        assert_eq!(driver.wait(), 128 + 9);
        until("no process of the session", || world.processes().is_empty());
    }
}

#[test]
fn a_containment_that_is_demanded_is_had_or_nothing_begins() {
    let world = World::new();
    world.contain("namespace");
    let shell = env!("CARGO_BIN_EXE_shell-under-test");
    for (call, why) in [("unshare", "unshare(2): "), ("mount", "its own /proc: ")] {
        let mut without = world.command("python3");
        without.args(["-c", WITHOUT, call, shell, "open", "--", "touch", "ran"]);
        let output = without.output().unwrap();
        let said = stderr(&output);
        let sentence = format!("cannot contain the session by a namespace: {why}Operation not");
        assert!(said.contains(&sentence) && said.contains("containment in the role's"), "{said}");
        assert_ne!(output.status.code(), Some(0));
        assert!(!world.home().join("ran").exists() && world.spools().is_empty());
    }
    std::fs::remove_dir_all(world.home().join(".config")).unwrap();
    let mut without = world.command("python3");
    let output = without.args(["-c", WITHOUT, "mount", shell, "open", "--", "true"]).output();
    assert!(output.unwrap().status.success());
}

#[test]
fn who_cannot_be_killed_is_named_and_not_counted() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: a program of root's needs root");
        return;
    }
    let world = World::new();
    let mut shell = somebody(&world, "subreaper");
    // What sudo(8) does for those who may.
    let sudo = world.home().join("sudo");
    std::fs::copy("/usr/bin/setpriv", &sudo).unwrap();
    std::fs::set_permissions(&sudo, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let script = "$HOME/sudo --reuid=0 --regid=0 --clear-groups setsid sh -c \
        'trap \"\" HUP; : >$HOME/up; exec sleep 1000' & until [ -e $HOME/up ]; do :; done; exit 3";
    let output = shell.args(["open", "--", "sh", "-c", script]).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let left = world.processes();
    let [survivor] = &left[..] else { panic!("{left:?} {said}") };
    let pid = survivor.pid;
    assert!(said.contains(&format!("NOT ENDED: process {pid} of uid 0 lives on: ")), "{said}");
    let tape = world.tape();
    tape.assert_intact();
    let named = &tape.note("seal")["about"]["survivors"][0];
    assert_eq!((&named["pid"], &named["command"]), (&pid.into(), &"sleep".into()), "no argument");
    assert_eq!(tape.note("seal")["about"]["killed"], 0);
    let sealed = &tape.notices("survived")[0]["processes"][0];
    assert_eq!(sealed["uid"], 0);
    assert!(sealed["command"].as_str().unwrap().contains("sleep 1000"), "{sealed}");
}

#[test]
fn a_process_that_cannot_die_does_not_hold_up_the_end() {
    let world = World::new();
    let script = "sleep 1000 & echo $! >$HOME/new; mv $HOME/new $HOME/pid; read -r line";
    let mut shell = world.contain("subreaper").quiet_shell();
    shell.args(["open", "--", "sh", "-c", script]);
    let mut driver = Driver::spawn(shell);
    let file = world.home().join("pid");
    until("the session has a process", || file.exists());
    let pid = std::fs::read_to_string(file).unwrap().trim().to_owned();
    let mut holder = Command::new("python3").args(["-c", HOLDS, &pid]).spawn().unwrap();
    let status = format!("/proc/{pid}/status");
    let traced = || {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        status.contains("TracerPid:") && !status.contains("TracerPid:\t0\n")
    };
    until("it is held", traced);
    driver.send("\r");
    let code = driver.wait();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(code, 0, "{}", world.said());
    let said = world.said();
    assert!(said.contains(&format!("NOT ENDED: process {pid} of uid ")), "{said}");
    world.tape().assert_intact();
    until("it is gone with who held it", || world.processes().is_empty());
}

#[test]
fn a_recorder_that_is_stopped_from_outside_loses_its_session() {
    let ways = ["cgroup", "subreaper", "namespace"];
    let ways = ways.into_iter().filter(|by| *by != "cgroup" || cgroups_here());
    let begin = |by: &str| {
        let world = World::new();
        let mut shell = world.contain(by).quiet_shell();
        shell.args(["open", "--", "sh", "-c", "trap '' HUP; echo ready; exec sleep 1000"]);
        let driver = Driver::spawn(shell);
        driver.wait_for("ready");
        driver.signal(Signal::STOP);
        (world, driver)
    };
    for (world, mut driver) in ways.map(begin).collect::<Vec<_>>() {
        let sleeps = || world.processes().iter().any(|process| process.args == "sleep 1000");
        until("the end of the session's processes", || !sleeps());
        driver.signal(Signal::CONT);
        assert_eq!(driver.wait(), 125, "{}", world.said());
        assert!(world.said().contains("its keeper had heard nothing"), "{}", world.said());
        let tape = world.tape();
        tape.assert_intact();
        let about = &tape.note("seal")["about"];
        assert_eq!(about["ended"], "system-failure");
        assert!(about["detail"].as_str().unwrap().contains("heard nothing of the recorder"));
        assert_eq!(world.processes(), []);
    }
}

#[test]
fn a_traced_recorder_does_not_begin() {
    let world = World::new();
    let mut strace = world.command("strace");
    strace.args(["-f", "-o", "/dev/null", env!("CARGO_BIN_EXE_shell-under-test")]);
    let output = strace.args(["open", "--", "touch", "ran"]).output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("this process is traced, by process "), "{said}");
    assert!(!world.home().join("ran").exists() && world.tapes().is_empty());
}

#[test]
fn a_library_that_is_preloaded_is_the_sessions_and_never_the_recorders() {
    let world = World::new();
    let shell = env!("CARGO_BIN_EXE_shell-under-test");
    let script = "date +%s; env | grep BG_SHELL_KEPT";
    let mut faked = world.command("faketime");
    faked.args(["-f", "+10d", shell, "open", "--", "sh", "-c", script]);
    let output = faked.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let inside_s: u64 = shown.trim_end().parse().unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let recorded: SessionId = world.tape().id().parse().unwrap();
    assert!(inside_s > recorded.minted().0 / 1_000_000 + 9 * 86_400, "{shown}");
    // Whoever is started with one that does not exist says so: this program once, the command once, nobody between.
    let mut shell = world.shell();
    let output = shell.env("LD_PRELOAD", "/nonexistent.so").args(["open", "--", "true"]).output();
    let output = output.unwrap();
    let complaints = |text: &[u8]| String::from_utf8_lossy(text).matches("/nonexistent.so").count();
    assert_eq!((complaints(&output.stderr), complaints(&output.stdout)), (1, 1), "{output:?}");
}

#[test]
fn a_process_of_a_session_leaves_no_core_unless_that_is_asked_for_inside() {
    let world = World::new();
    let output = world.record("ulimit -S -c; ulimit -S -c $(ulimit -H -c) && echo may");
    assert_eq!(output.stdout, b"0\nmay\n", "{}", stderr(&output));
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

/// Makes a cgroup below the one that it is in, and removes it.
const MAKES_CGROUPS: &str = r#"at=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
dir=$at$(sed -n 's/^0:://p' /proc/self/cgroup)/bg-shell-test-$$
[ -n "$at" ] && mkdir "$dir" 2>/dev/null && [ -e "$dir/cgroup.kill" ] && rmdir "$dir""#;
/// Runs a program in which a system call is refused (seccomp(2)): what container runtimes and AppArmor do.
pub const WITHOUT: &str = r#"
import ctypes, os, struct, sys
arm = os.uname().machine == "aarch64"
number = {"mount": 40 if arm else 165, "unshare": 97 if arm else 272}[sys.argv[1]]
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
program = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
if libc.prctl(22, 2, program, 0, 0):
    raise OSError(ctypes.get_errno(), "seccomp")
os.execvp(sys.argv[2], sys.argv[2:])
"#;
/// Holds a process in its exit (ptrace(2), PTRACE_O_TRACEEXIT), and never lets it go.
const HOLDS: &str = r#"
import ctypes, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
if libc.ptrace(0x4206, int(sys.argv[1]), 0, 0x40):
    raise OSError(ctypes.get_errno(), "ptrace")
signal.pause()
"#;
