//! Standard input, read without ever waiting: between poll(2) and read(2) another process may take what was there, or
//! change how the terminal is read, and a loop that waits then keeps no deadline.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use bg_relay::terminal::{Keyboard, Typed};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use crate::os::raw::{in_background, make_raw};

/// Takes standard input.
///
/// # Errors
/// When there is none, or no thread left to read it.
pub fn own() -> io::Result<Box<dyn Keyboard>> {
    let stdin = rustix::stdio::stdin();
    // A description of our own: O_NONBLOCK on the one that we were given would be the invoking shell's, too.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let own = match FileType::from_raw_mode(fstat(stdin)?.st_mode) {
        FileType::CharacterDevice | FileType::Fifo => {
            open("/proc/self/fd/0", flags, Mode::empty()).ok()
        }
        // It is always there (inode(7)).
        FileType::RegularFile => Some(stdin.try_clone_to_owned()?),
        _ => None,
    };
    // A socket, or a terminal of another user (su(1)), cannot be opened anew.
    Ok(match own {
        Some(own) => Box::new(Own(own)),
        None => Box::new(Beside::start(stdin.try_clone_to_owned()?)?),
    })
}

/// A description of our own.
#[derive(Debug)]
struct Own(OwnedFd);

impl Keyboard for Own {
    fn read(&mut self, to: &mut [u8]) -> Typed {
        // Keys of another process group are not ours, and reading them would stop this process.
        if in_background() {
            return Typed::Nothing;
        }
        match rustix::io::read(&self.0, to) {
            Err(Errno::AGAIN | Errno::INTR) => Typed::Nothing,
            // A terminal that hung up reads EIO.
            Ok(0) | Err(_) => Typed::Ended,
            Ok(read) => Typed::Bytes(read),
        }
    }

    fn take_again(&mut self) -> bool {
        make_raw()
    }
}

impl AsFd for Own {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a thread reads, one chunk ahead at most.
#[derive(Debug)]
struct Beside {
    chunks: Receiver<Vec<u8>>,
    bell: Arc<OwnedFd>,
    /// What is left of the last chunk.
    rest: Vec<u8>,
}

impl Beside {
    fn start(from: OwnedFd) -> io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let (give, chunks) = sync_channel(0);
        let theirs = Arc::clone(&bell);
        thread::Builder::new()
            .name("keyboard".into())
            .spawn(move || read_on(&from, give, &theirs))?;
        Ok(Self { chunks, bell, rest: Vec::new() })
    }
}

impl Keyboard for Beside {
    fn read(&mut self, to: &mut [u8]) -> Typed {
        if self.rest.is_empty() {
            // Silenced before the chunk is taken: the next one rings after that.
            rustix::io::read(&*self.bell, &mut [0; 8]).unwrap_or_default();
            match self.chunks.try_recv() {
                Ok(chunk) => self.rest = chunk,
                Err(TryRecvError::Disconnected) => return Typed::Ended,
                // It has rung, and is about to give.
                Err(TryRecvError::Empty) => {
                    ring(&self.bell);
                    return Typed::Nothing;
                }
            }
        }
        let len = self.rest.len().min(to.len());
        for (to, byte) in to.iter_mut().zip(self.rest.drain(..len)) {
            *to = byte;
        }
        if !self.rest.is_empty() {
            ring(&self.bell);
        }
        Typed::Bytes(len)
    }

    fn take_again(&mut self) -> bool {
        make_raw()
    }
}

impl AsFd for Beside {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// Reads until there is no more, or nobody wants it.
fn read_on(from: &OwnedFd, give: SyncSender<Vec<u8>>, bell: &OwnedFd) {
    loop {
        let mut chunk = vec![0; CHUNK];
        match rustix::io::read(from, &mut chunk) {
            Ok(0) => break,
            Ok(read) => chunk.truncate(read),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => {
                // Whoever gave us standard input made it non-blocking. What ends the wait early is read again.
                poll(&mut [PollFd::new(from, PollFlags::IN)], None).unwrap_or_default();
                continue;
            }
            Err(_) => break,
        }
        ring(bell);
        if give.send(chunk).is_err() {
            return;
        }
    }
    drop(give);
    ring(bell);
}

fn ring(bell: &OwnedFd) {
    // It fails only where it rings already.
    rustix::io::write(bell, &1u64.to_ne_bytes()).unwrap_or_default();
}

const CHUNK: usize = 4_096;
