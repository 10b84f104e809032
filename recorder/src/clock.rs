//! Wall time and boot time, in microseconds, as the kernel tells them.

use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::format::stamp::Stamp;

/// Where the time comes from. Boot time counts suspension and is never set; wall time may jump.
pub trait Clock: Send + Sync {
    /// Returns microseconds since the Unix epoch.
    fn wall_us(&self) -> u64;
    /// Returns microseconds of `CLOCK_BOOTTIME` (clock_gettime(2)).
    fn boot_us(&self) -> u64;

    /// Returns the wall time.
    fn now(&self) -> Stamp {
        Stamp(self.wall_us())
    }

    /// Lets so much time pass.
    fn wait(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// How long something takes, by the boot clock.
pub struct Stopwatch<'a> {
    clock: &'a dyn Clock,
    began_us: u64,
}

impl<'a> Stopwatch<'a> {
    /// Begins now.
    pub fn start(clock: &'a dyn Clock) -> Self {
        Self { clock, began_us: clock.boot_us() }
    }

    /// Returns how long it is since then.
    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(self.clock.boot_us().saturating_sub(self.began_us))
    }
}

/// The kernel's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall_us(&self) -> u64 {
        micros(clock_gettime(ClockId::Realtime))
    }

    fn boot_us(&self) -> u64 {
        micros(clock_gettime(ClockId::Boottime))
    }
}

/// Returns the kernel's boot id, which tells two boots of one host apart (random(4)).
///
/// # Errors
/// When `/proc` is not readable.
pub fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

fn micros(time: Timespec) -> u64 {
    // Both clocks count up from zero, so a negative part can only mean a broken kernel: it reads as zero.
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    secs.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}
