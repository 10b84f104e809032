//! poll(2), standard input and the clock, as the script has them.

use std::sync::atomic::Ordering;

use super::world::{NOW_US, Source, world};

/// `rustix::event`.
pub mod event {
    pub use kernel::event::{PollFlags, Timespec};

    use super::{Source, world};
    use crate::stdio::Stdin;

    /// What can be waited for.
    pub trait Polled {
        /// Says what it is.
        fn source(&self) -> Source;
    }

    impl<T: Polled> Polled for &mut T {
        fn source(&self) -> Source {
            (**self).source()
        }
    }

    pub struct PollFd {
        pub source: Source,
        pub wanted: PollFlags,
        pub found: PollFlags,
    }

    impl PollFd {
        pub fn new(fd: &impl Polled, wanted: PollFlags) -> Self {
            Self { source: fd.source(), wanted, found: PollFlags::empty() }
        }

        pub fn from_borrowed_fd(_: Stdin, wanted: PollFlags) -> Self {
            Self { source: Source::Keyboard, wanted, found: PollFlags::empty() }
        }

        pub fn revents(&self) -> PollFlags {
            self.found
        }
    }

    /// The script goes on whenever the relay waits.
    pub fn poll(
        fds: &mut [PollFd],
        patience: Option<&Timespec>,
    ) -> Result<usize, kernel::io::Errno> {
        let patience = patience.expect("the relay never waits for ever");
        let patience_us = patience.tv_sec as u64 * 1_000_000 + patience.tv_nsec as u64 / 1_000;
        world(|world| world.wait(fds, patience_us))
    }
}

/// `rustix::io`.
pub mod io {
    pub use kernel::io::Errno;

    use super::world;
    use crate::stdio::Stdin;

    pub fn read(_: Stdin, to: &mut [u8]) -> Result<usize, Errno> {
        world(|world| world.read_keyboard(to))
    }
}

/// `rustix::stdio`.
pub mod stdio {
    #[derive(Clone, Copy)]
    pub struct Stdin;

    pub fn stdin() -> Stdin {
        Stdin
    }
}

/// `rustix::termios`.
pub mod termios {
    use super::world;
    use crate::stdio::Stdin;

    pub fn isatty(_: Stdin) -> bool {
        world(|world| world.keyboard_is_terminal)
    }
}

/// Stands in for clock_gettime(3), which `Instant` asks: monotonic time is the script's.
///
/// # Safety
/// `to` is where the caller wants the time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: i32, to: *mut [i64; 2]) -> i32 {
    use kernel::time::{ClockId, clock_gettime};
    let real = match clock {
        0 => clock_gettime(ClockId::Realtime),
        2 => clock_gettime(ClockId::ProcessCPUTime),
        3 => clock_gettime(ClockId::ThreadCPUTime),
        _ => {
            let now_us = NOW_US.load(Ordering::Relaxed);
            let tv_sec = (now_us / 1_000_000) as i64;
            let tv_nsec = (now_us % 1_000_000 * 1_000) as i64;
            kernel::event::Timespec { tv_sec, tv_nsec }
        }
    };
    // SAFETY: the caller passes room for a timespec, which is two of these on this platform.
    unsafe { to.write([real.tv_sec, real.tv_nsec]) };
    0
}
