//! The keeper: runs the session's leader, reaps everything, leaves nothing. One of the files with unsafe code.
#![allow(unsafe_code, reason = "unshare(2), and set-up between fork and exec")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getgid, getpid,
    getrlimit, getuid, ioctl_tiocsctty, kill_process_group, set_child_subreaper,
    set_dumpable_behavior, set_parent_process_death_signal, setrlimit, setsid, wait,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::os::afresh::give_back;
use crate::os::cgroup::Cgroup;
use crate::os::family::{Family, Toll};
use crate::os::words::{
    ARGUMENT, BEAT, CGROUP, END, FAILED, GO, INIT, LEADER_ENDED, NAMESPACE, READY, SILENCE_MAX,
    SUBREAPER, last_word, this_program, unheard,
};

/// Runs a keeper: `MODE CMD…`, the control socket as standard input, the session's terminal as standard output, the
/// session's standard input as standard error.
pub fn run(args: &[OsString]) -> ExitCode {
    let kept = close_inherited().and_then(|()| match args.split_first() {
        Some((mode, command)) if mode == NAMESPACE => namespace(command),
        Some((mode, command)) if mode == INIT => keep(Family::default(), command),
        Some((mode, command)) if mode == SUBREAPER => beneath(Family::default(), command),
        Some((mode, rest)) if mode == CGROUP => in_cgroup(rest),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    });
    match kept {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Whoever waits for a keeper that cannot begin hears why. Later, the closed socket says enough.
            let word = format!("{FAILED} {}\n", e.to_string().replace('\n', " "));
            rustix::io::write(rustix::stdio::stdin(), word.as_bytes()).unwrap_or_default();
            ExitCode::FAILURE
        }
    }
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
    unsafe { unshare_unsafe(flags) }.map_err(|e| because("unshare(2)", e.into()))?;
    if !root {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let mut init = this_program();
    init.arg(ARGUMENT).arg(INIT).args(command);
    // SAFETY: the closure makes system calls that are async-signal-safe, and allocates nothing.
    unsafe { init.pre_exec(own_proc) };
    let mut init = init.spawn().map_err(|e| because("its own /proc", e))?;
    drop_sides()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    init.wait()?;
    Ok(())
}

/// Gives the namespace its own `/proc`, so that the session's tools see the session's processes.
fn own_proc() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let downstream = MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM;
    // Below chroot(2) the root may be no mount point; what is mounted here must stay out of the host's /proc.
    if mount_change("/", downstream).is_err() {
        mount_change("/proc", downstream)?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}

fn because(what: &str, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{what}: {e}"))
}

/// Holds a session in the cgroup that the recorder made, and what leaves it as a subreaper.
fn in_cgroup(rest: &[OsString]) -> io::Result<()> {
    let (dir, command) = rest.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let cgroup = Cgroup::at(Path::new(dir));
    cgroup.try_out()?;
    beneath(Family { cgroup: Some(cgroup) }, command)
}

/// Holds a session as a subreaper.
fn beneath(family: Family, command: &[OsString]) -> io::Result<()> {
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    keep(family, command)
}

/// Starts the leader once the recorder says so, reaps until it has ended, kills the rest, and tells.
fn keep(family: Family, command: &[OsString]) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let control = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
    let mut words = BufReader::new(control.try_clone()?);
    (&control).write_all(READY.as_bytes())?;
    let mut word = String::new();
    words.read_line(&mut word)?;
    if word != GO {
        return Ok(());
    }
    control.set_read_timeout(Some(SILENCE_MAX))?;
    let teller = Teller(Mutex::new(Some(control)));
    let leader = match leader(&family, command) {
        Ok(leader) => leader,
        Err(e) => {
            return teller.tell(&format!("not-started {} 0 {e}", e.raw_os_error().unwrap_or(0)));
        }
    };
    drop_sides()?;
    let kept = Kept {
        family,
        teller,
        status: OnceLock::new(),
        leader,
        asking: Mutex::default(),
        silence: AtomicBool::default(),
    };
    let kept = Arc::new(kept);
    let listening = Arc::clone(&kept);
    thread::Builder::new().spawn(move || listening.listen(words))?;
    let status = reap(leader)?;
    kept.status.get_or_init(|| status);
    // A recorder that is gone needs no word.
    kept.teller.say(LEADER_ENDED).unwrap_or(());
    kept.over()
}

/// What was heard of the recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It wants an end.
    End,
    /// Nothing, for too long.
    Nothing,
    /// It is gone.
    Gone,
}

/// Waits for a word that means something.
fn heard(words: &mut BufReader<UnixStream>) -> Heard {
    let mut word = String::new();
    loop {
        match words.read_line(&mut word) {
            Ok(_) if word == BEAT => word.clear(),
            Ok(_) if word == END => return Heard::End,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
            Ok(_) | Err(_) => return Heard::Gone,
        }
    }
}

/// A session that runs.
struct Kept {
    family: Family,
    teller: Teller,
    status: OnceLock<WaitStatus>,
    leader: Pid,
    /// Held while the session is asked to end: who is still asked is not killed yet. How many were killed then, beside
    /// the leader.
    asking: Mutex<u64>,
    /// It ends because nothing was heard of the recorder.
    silence: AtomicBool,
}

impl Kept {
    /// Waits for what the recorder says. When it is gone, everything goes; when it says nothing any more, too: somebody
    /// has stopped it, and with it its deadline and its kill switch.
    fn listen(&self, mut words: BufReader<UnixStream>) {
        let heard = heard(&mut words);
        if heard != Heard::Gone {
            let toll = self.end(heard);
            // A leader that cannot be killed is never reaped: then nobody else tells.
            if !toll.survivors.is_empty() {
                // A recorder that is gone needs no word.
                self.tell(&toll).unwrap_or(());
            }
            // A recorder that is stopped may come back to hear how it ended.
            while self::heard(&mut words) != Heard::Gone {}
        }
        self.family.kill();
        self.leave();
        exit(1);
    }

    /// Asks everything to end, twice, and kills what has not. Whoever has something to save has time for it, also when
    /// the leader ends at once.
    fn end(&self, heard: Heard) -> Toll {
        let mut killed = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        self.silence.store(heard == Heard::Nothing, Ordering::SeqCst);
        self.family.ask(Signal::HUP, HANG_UP_GRACE);
        self.family.ask(Signal::TERM, TERMINATE_GRACE);
        let led = self.family.holds(self.leader);
        let toll = self.family.kill();
        *killed = toll.killed.saturating_sub(led.into());
        toll
    }

    /// Kills what the leader left behind, and tells.
    fn over(&self) -> io::Result<()> {
        let killed = *self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut toll = self.family.kill();
        toll.killed += killed;
        self.leave();
        self.tell(&toll)
    }

    fn tell(&self, toll: &Toll) -> io::Result<()> {
        let silence = self.silence.load(Ordering::SeqCst);
        let word = if silence { unheard(toll) } else { last_word(self.status.get(), toll) };
        self.teller.tell(&word)
    }

    fn leave(&self) {
        if let Some(cgroup) = &self.family.cgroup {
            cgroup.remove();
        }
    }
}

fn leader(family: &Family, command: &[OsString]) -> io::Result<Pid> {
    let (program, args) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let side = |fd: BorrowedFd<'_>| -> io::Result<Stdio> { Ok(fd.try_clone_to_owned()?.into()) };
    let terminal = || side(rustix::stdio::stdout());
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(side(rustix::stdio::stderr())?)
        .stdout(terminal()?)
        .stderr(terminal()?);
    let door = family.cgroup.as_ref().map(Cgroup::door).transpose()?;
    let inside = move || {
        if let Some(door) = &door {
            rustix::io::write(door, b"0")?;
        }
        own_terminal()
    };
    give_back(&mut command);
    // SAFETY: the closure makes system calls that are async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(inside) };
    Ok(Pid::from_child(&command.spawn()?))
}

/// Makes the child a session leader with the pty as its controlling terminal (tty_ioctl(4)).
fn own_terminal() -> io::Result<()> {
    setsid()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A core holds tokens. Who wants one says so inside: ulimit -c.
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum })?;
    Ok(ioctl_tiocsctty(rustix::stdio::stdout())?)
}

/// Lets go of the session's sides, so that its last process's end is their end.
fn drop_sides() -> io::Result<()> {
    let null = OwnedFd::from(File::options().read(true).write(true).open("/dev/null")?);
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

fn reap(leader: Pid) -> io::Result<WaitStatus> {
    loop {
        match wait(WaitOptions::UNTRACED) {
            // Nobody is above it who could bring it back (`suspend`, `kill -STOP $$`): it would be a dead terminal.
            Ok(Some((pid, status))) if pid == leader && status.stopped() => continue_group(leader)?,
            Ok(Some((pid, status))) if pid == leader => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn continue_group(leader: Pid) -> io::Result<()> {
    match kill_process_group(leader, Signal::CONT) {
        // It has been killed meanwhile.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        continued => Ok(continued?),
    }
}

/// Tells the recorder how the session ended, once.
struct Teller(Mutex<Option<UnixStream>>);

impl Teller {
    /// Says something before that.
    fn say(&self, word: &str) -> io::Result<()> {
        let control = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        control.as_ref().map_or(Ok(()), |mut control| control.write_all(word.as_bytes()))
    }

    fn tell(&self, word: &str) -> io::Result<()> {
        let control = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut control) = control else { return Ok(()) };
        control.write_all(format!("{}\n", word.replace('\n', " ")).as_bytes())
    }
}

/// How long a session's processes have after SIGHUP, which is what an editor saves its file at,
const HANG_UP_GRACE: Duration = Duration::from_secs(2);
/// and after SIGTERM, before they are killed.
const TERMINATE_GRACE: Duration = Duration::from_secs(1);
