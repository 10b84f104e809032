//! The keeper: runs the session's leader, reaps everything, leaves nothing. One of the files with unsafe code.
#![allow(unsafe_code, reason = "unshare(2), and set-up between fork and exec")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio, exit};
use std::thread;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, getgid, getpid, getuid,
    ioctl_tiocsctty, kill_process, set_child_subreaper, set_dumpable_behavior,
    set_parent_process_death_signal, setsid, wait,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::os::contain::{Containment, Ended, Ending};

/// Runs a keeper: `MODE CMD…`, the control socket as standard input, the session's terminal as standard output.
pub fn run(args: &[OsString]) -> ExitCode {
    let kept = close_inherited().and_then(|()| match args.split_first() {
        Some((mode, command)) if mode == NAMESPACE => namespace(command),
        Some((mode, command)) if mode == INIT || mode == SUBREAPER => keep(mode, command),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    });
    // The recorder reads nothing more: the closed socket tells it.
    if kept.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns this program again, under its own name in the process list.
pub fn this_program() -> Command {
    let mut program = Command::new("/proc/self/exe");
    program.arg0("bg-shell");
    program
}

/// Returns the argument that asks for a containment.
pub fn mode(by: Containment) -> &'static str {
    match by {
        Containment::PidNamespace => NAMESPACE,
        Containment::Subreaper => SUBREAPER,
    }
}

/// Reads a keeper's last word.
pub fn parse(line: &str) -> Option<Ended> {
    let mut words = line.splitn(4, ' ');
    let what = words.next()?;
    let number = words.next()?.parse().ok()?;
    let killed = words.next()?.parse().ok()?;
    let how = match what {
        "exited" => Ending::Exited(number),
        "signalled" => Ending::Signalled(number),
        "not-started" => {
            let kind = io::Error::from_raw_os_error(number).kind();
            Ending::NotStarted(kind, words.next()?.to_owned())
        }
        _ => return None,
    };
    Some(Ended { how, killed })
}

/// Sees to it that no descriptor of the invoking shell reaches the session: what is written there is on no tape.
fn close_inherited() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let Some(fd) =
            entry?.file_name().to_str().and_then(|name| name.parse().ok()).filter(|fd| *fd > 2)
        else {
            continue;
        };
        // SAFETY: this process has one thread, the descriptor was listed just now, and only its flag is set.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        fcntl_setfd(fd, FdFlags::CLOEXEC)?;
    }
    Ok(())
}

/// Makes the namespaces, starts their init, and waits for it.
fn namespace(command: &[OsString]) -> io::Result<()> {
    setsid()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let root = getuid().is_root();
    let flags = UnshareFlags::NEWPID | UnshareFlags::NEWNS;
    let flags = if root { flags } else { flags | UnshareFlags::NEWUSER };
    let uid = getuid().as_raw();
    let gid = getgid().as_raw();
    // SAFETY: this process has one thread, and none of the flags unshares its file descriptors.
    unsafe { unshare_unsafe(flags) }?;
    if !root {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let mut init = this_program();
    init.arg(ARGUMENT).arg(INIT).args(command);
    // SAFETY: the closure makes three system calls, all async-signal-safe, and allocates nothing.
    unsafe { init.pre_exec(own_proc) };
    let mut init = init.spawn()?;
    drop_terminal()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    init.wait()?;
    Ok(())
}

/// Gives the namespace its own `/proc`, so that the session's tools see the session's processes.
fn own_proc() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}

/// Starts the leader once the recorder says so, reaps until it has ended, kills the rest, and tells.
fn keep(mode: &OsString, command: &[OsString]) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if mode == SUBREAPER {
        setsid()?;
        set_child_subreaper(Some(getpid()))?;
    }
    let control = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
    let mut words = BufReader::new(control.try_clone()?);
    (&control).write_all(READY.as_bytes())?;
    let mut word = String::new();
    words.read_line(&mut word)?;
    if word != GO {
        return Ok(());
    }
    let leader = match leader(command) {
        Ok(leader) => leader,
        Err(e) => {
            return tell(&control, &format!("not-started {} 0 {e}", e.raw_os_error().unwrap_or(0)));
        }
    };
    drop_terminal()?;
    thread::spawn(move || listen(words));
    let status = reap(leader)?;
    let killed = kill_all(Signal::KILL);
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => tell(&control, &format!("exited {code} {killed}")),
        (None, signal) => tell(&control, &format!("signalled {} {killed}", signal.unwrap_or(0))),
    }
}

fn leader(command: &[OsString]) -> io::Result<Pid> {
    let (program, args) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let terminal =
        || -> io::Result<Stdio> { Ok(Stdio::from(rustix::stdio::stdout().try_clone_to_owned()?)) };
    let mut command = Command::new(program);
    command.args(args).stdin(terminal()?).stdout(terminal()?).stderr(terminal()?);
    // SAFETY: the closure makes three system calls, all async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(own_terminal) };
    Ok(Pid::from_child(&command.spawn()?))
}

/// Makes the child a session leader with the pty as its controlling terminal (tty_ioctl(4)).
fn own_terminal() -> io::Result<()> {
    setsid()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(ioctl_tiocsctty(rustix::stdio::stdin())?)
}

/// Lets go of the session's terminal, so that its last process's end is its end.
fn drop_terminal() -> io::Result<()> {
    let null = OwnedFd::from(File::options().read(true).write(true).open("/dev/null")?);
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

/// Waits for what the recorder says. When it is gone, everything goes.
fn listen(mut words: BufReader<UnixStream>) {
    let mut word = String::new();
    let heard = words.read_line(&mut word);
    if heard.is_ok() && word == END {
        kill_all(Signal::HUP);
        kill_all(Signal::CONT);
        thread::sleep(GRACE);
        kill_all(Signal::KILL);
        word.clear();
        if words.read_line(&mut word).is_ok_and(|len| len > 0) {
            return;
        }
    }
    kill_all(Signal::KILL);
    exit(1);
}

fn reap(leader: Pid) -> io::Result<WaitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == leader => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Signals every descendant; returns how many there were. With SIGKILL it goes on until none lives.
pub fn kill_all(signal: Signal) -> u64 {
    let mut signalled = BTreeSet::new();
    loop {
        let family = descendants();
        let alive = family.iter().filter(|pid| kill_process(**pid, signal).is_ok()).count();
        signalled.extend(family.iter().map(|pid| pid.as_raw_nonzero()));
        if alive == 0 || signal != Signal::KILL {
            return signalled.len() as u64;
        }
        thread::yield_now();
    }
}

/// Lists the living descendants of this process, by the parents that `/proc` names (proc_pid_stat(5)).
fn descendants() -> Vec<Pid> {
    let processes: Vec<(i32, i32)> = fs::read_dir("/proc").map_or_else(
        |_| Vec::new(),
        |entries| {
            entries
                .filter_map(|entry| parent_of(entry.ok()?.file_name().to_str()?.parse().ok()?))
                .collect()
        },
    );
    let mut family = vec![getpid().as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// Returns a process with its parent, unless it is a zombie.
fn parent_of(pid: i32) -> Option<(i32, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses included.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // A leader whose other threads live on looks like a zombie, and is none (num_threads, field 20).
    let threads: u64 = fields.nth(15)?.parse().ok()?;
    (state != "Z" || threads > 1).then_some((pid, parent))
}

fn tell(control: &UnixStream, word: &str) -> io::Result<()> {
    let mut control = control;
    control.write_all(format!("{}\n", word.replace('\n', " ")).as_bytes())
}

/// The first argument that makes this program a keeper.
pub const ARGUMENT: &str = "__keep";
/// The keeper can begin.
pub const READY: &str = "ready\n";
/// The recorder's word to begin.
pub const GO: &str = "go\n";
/// The recorder's word to end.
pub const END: &str = "end\n";

const NAMESPACE: &str = "namespace";
const INIT: &str = "init";
const SUBREAPER: &str = "subreaper";
/// How long a session's processes have between SIGHUP and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);
