//! poll(2) and the clocks, as the script has them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::LazyLock;
use std::time::Duration;

use bg_recorder::clock::Clock;
use bg_relay::kernel::{Awaited, Kernel};

use crate::world::{Track, now_us, world};

/// What the relay can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Keyboard,
    Pty,
    Inlet,
    Signals,
    Keeper,
    Worker(Track),
}

impl Source {
    const ALL: [Self; 7] = [
        Self::Keyboard,
        Self::Pty,
        Self::Inlet,
        Self::Signals,
        Self::Keeper,
        Self::Worker(Track::Scribe),
        Self::Worker(Track::Screen),
    ];

    /// Returns the descriptor that stands for it. Nobody reads or writes it.
    pub fn fd(self) -> BorrowedFd<'static> {
        let at = Self::ALL.iter().position(|source| *source == self).expect("one of them");
        TOKENS[at].as_fd()
    }

    /// Returns what a descriptor stands for.
    pub fn of(fd: BorrowedFd<'_>) -> Self {
        let at = TOKENS.iter().position(|token| token.as_raw_fd() == fd.as_raw_fd());
        Self::ALL[at.expect("a descriptor of a side")]
    }
}

/// One descriptor for each source, for as long as the process lives.
static TOKENS: LazyLock<[OwnedFd; 7]> =
    LazyLock::new(|| Source::ALL.map(|_| File::open("/dev/null").expect("/dev/null").into()));

/// The script, as a kernel and as a clock.
pub struct Hands;

impl Kernel for Hands {
    /// The script goes on whenever the relay waits.
    fn poll(&self, awaited: &mut [Awaited<'_>], patience: Duration) -> io::Result<()> {
        let patience_us =
            u64::try_from(patience.as_micros()).expect("the relay never waits for ever");
        world(|world| world.wait(awaited, patience_us));
        Ok(())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(now_us())
    }
}

impl Clock for Hands {
    fn wall_us(&self) -> u64 {
        1_795_413_600_000_000 + now_us()
    }

    fn boot_us(&self) -> u64 {
        now_us()
    }
}
