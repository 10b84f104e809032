//! A person at a terminal: types, reads the screen, looks away, resizes, hangs up.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use super::process;
use super::wait::{PATIENCE, until, within};

/// A program on a pty of its own, as session leader with that terminal (setsid(1) sees to it).
pub struct Driver {
    child: Child,
    master: Option<File>,
    side: OwnedFd,
    screen: Arc<Screen>,
    reader: Option<JoinHandle<()>>,
    found: AtomicUsize,
}

/// What the reading thread shares with the person.
#[derive(Default)]
struct Screen {
    seen: Mutex<Vec<u8>>,
    away: AtomicBool,
    gone: AtomicBool,
}

impl Driver {
    /// Starts `command` on an 80 by 24 terminal.
    pub fn spawn(command: Command) -> Self {
        Self::spawn_sized(command, 80, 24)
    }

    /// Starts `command` on a terminal of that size.
    pub fn spawn_sized(command: Command, cols: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let side = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, size(cols, rows)).unwrap();
        let mut setsid = Command::new("setsid");
        setsid.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        setsid
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        setsid.current_dir(command.get_current_dir().unwrap());
        let stdio = || Stdio::from(side.try_clone().unwrap());
        let child = setsid.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        drop(setsid);
        let screen = Arc::new(Screen::default());
        let theirs = Arc::clone(&screen);
        let from = File::from(master.try_clone().unwrap());
        let reader = thread::spawn(move || theirs.read(from));
        Self {
            child,
            master: Some(master.into()),
            side,
            screen,
            reader: Some(reader),
            found: AtomicUsize::new(0),
        }
    }

    /// Types.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.master.as_mut().unwrap().write_all(bytes.as_ref()).unwrap();
    }

    /// Types, if there is still room for it.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let master = self.master.as_ref().unwrap();
        let mut ready = [PollFd::new(master, PollFlags::OUT)];
        if poll(&mut ready, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
            rustix::io::write(master, bytes.as_ref()).map(drop).unwrap_or(());
        }
    }

    /// Waits until the screen was sent `text`, after what an earlier call waited for.
    pub fn wait_for(&self, text: &str) {
        let found = within(PATIENCE, || {
            let from = self.found.load(Ordering::Relaxed);
            let at = find(&self.screen.seen.lock().unwrap()[from..], text.as_bytes());
            self.found.store(at.map_or(from, |at| from + at + text.len()), Ordering::Relaxed);
            at.is_some()
        });
        assert!(found, "{text:?} is not on the screen, which ends with {:?}", self.end_of_screen());
    }

    /// Returns everything the screen was sent.
    pub fn bytes(&self) -> Vec<u8> {
        self.screen.seen.lock().unwrap().clone()
    }

    /// Returns it as text.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn end_of_screen(&self) -> String {
        let bytes = self.bytes();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(2_000)..]).into_owned()
    }

    /// Stops reading the screen, as a frozen connection does.
    pub fn look_away(&self) {
        self.screen.away.store(true, Ordering::SeqCst);
    }

    /// Reads it again.
    pub fn look(&self) {
        self.screen.away.store(false, Ordering::SeqCst);
    }

    /// Changes the window's size; the kernel tells the foreground group.
    pub fn resize(&self, cols: u16, rows: u16) {
        tcsetwinsize(self.master.as_ref().unwrap(), size(cols, rows)).unwrap();
    }

    /// Closes the terminal's window.
    pub fn hang_up(&mut self) {
        self.screen.gone.store(true, Ordering::SeqCst);
        self.reader.take().unwrap().join().unwrap();
        self.master = None;
    }

    /// Returns the terminal's settings.
    pub fn settings(&self) -> Termios {
        tcgetattr(&self.side).unwrap()
    }

    /// Returns the program's side of the terminal.
    pub fn side(&self) -> &OwnedFd {
        &self.side
    }

    /// Returns the process id of the program itself (setsid(1) forks only when it leads a group already).
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Waits for the end; a signal is told as 128 + n.
    pub fn wait(&mut self) -> i32 {
        let mut status: Option<ExitStatus> = None;
        within(PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status
            .unwrap_or_else(|| panic!("no end; the screen ends with {:?}", self.end_of_screen()));
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }

    /// Returns all that the program sent to the screen, after its end. A word of ours behind its last byte tells
    /// when that has arrived: a pty hands bytes over in their order, but in its own time.
    pub fn shown(&mut self) -> Vec<u8> {
        self.wait();
        rustix::io::write(&self.side, LAST).unwrap();
        until("the last word on the screen", || self.screen.seen.lock().unwrap().ends_with(LAST));
        let mut bytes = self.bytes();
        bytes.truncate(bytes.len() - LAST.len());
        bytes
    }
}

impl Screen {
    fn read(&self, mut from: File) {
        let mut buffer = vec![0; 65_536];
        while !self.gone.load(Ordering::SeqCst) {
            let mut ready = [PollFd::new(&from, PollFlags::IN)];
            let looked = poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 10_000_000 }));
            let readable = looked.is_ok_and(|ready| ready > 0);
            if self.away.load(Ordering::SeqCst) {
                thread::park_timeout(Duration::from_millis(5));
            } else if readable {
                let Ok(read) = from.read(&mut buffer) else { return };
                self.seen.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.screen.gone.store(true, Ordering::SeqCst);
        self.child.kill().unwrap_or(());
        self.child.wait().map(drop).unwrap_or(());
    }
}

/// Takes out what bg-shell itself drew: lines about the evidence store, and at the end what gives the terminal back,
/// after a CAN where a sequence was open: noise switches modes on.
pub fn without_ours(mut shown: Vec<u8>, recorded: &[u8]) -> Vec<u8> {
    while let Some(at) = find(&shown, b"\r\nbg-shell: the evidence store ") {
        let end = at + 2 + find(&shown[at + 2..], b"\r\n").unwrap() + 2;
        shown.drain(at..end);
    }
    let late = shown.len().saturating_sub(GIVE_BACK_MAX);
    if let Some(at) = find(&shown[late..], GIVE_BACK) {
        shown.truncate(late + at);
        let cancelled = shown.len() > recorded.len() || !recorded.starts_with(&shown);
        if cancelled && shown.last() == Some(&0x18) {
            shown.pop();
        }
    }
    shown
}

/// How what gives the terminal back begins: usual colours, usual characters.
const GIVE_BACK: &[u8] = b"\x1b[m\x0f\x1b(B";
/// Every mode that there is, undone.
const GIVE_BACK_MAX: usize = 400;

/// Returns where `needle` begins.
pub fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

fn size(cols: u16, rows: u16) -> Winsize {
    Winsize { ws_col: cols, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

const LAST: &[u8] = b"\0the last word\0";
