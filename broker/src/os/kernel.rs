//! What the relay asks the kernel: poll(2) and the monotonic clock.

use std::io;
use std::time::Duration;

use bg_relay::kernel::{Awaited, Kernel};
use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

/// The kernel that this process runs on.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Kernel for System {
    fn poll(&self, awaited: &mut [Awaited<'_>], patience: Duration) -> io::Result<()> {
        let wanted = awaited.iter_mut().filter(|one| !one.wanted.is_empty());
        let mut wanted: Vec<_> = wanted.collect();
        let fds = wanted.iter().map(|one| PollFd::from_borrowed_fd(one.fd, one.wanted));
        let mut fds: Vec<_> = fds.collect();
        let patience = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&patience)) {
            Ok(_) => {}
            // Nothing was found; whoever waits looks again.
            Err(Errno::INTR) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
        for (one, fd) in wanted.iter_mut().zip(&fds) {
            one.found = fd.revents();
        }
        Ok(())
    }

    fn monotonic(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        let secs = u64::try_from(now.tv_sec).unwrap_or(0);
        Duration::new(secs, u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}
