//! What can be done now, and how long nothing can.

use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::input::Input;
use super::{Cause, Run};

/// What `poll` found ready.
pub struct Ready {
    /// Standard input.
    pub stdin: bool,
    /// The session's output.
    pub output: bool,
    /// Signals to this process.
    pub signals: bool,
    /// The keeper's word.
    pub control: bool,
    /// Chunks that were accepted or shown.
    pub chunks: bool,
}

impl Run<'_> {
    /// Waits until something can be done.
    pub(super) fn wait(&self) -> Result<Ready, Cause> {
        let stdin = rustix::stdio::stdin();
        let scribe = &*self.relay.scribe;
        let screen = &self.relay.screen;
        let room = self.screen_has_room() && self.has_room();
        let takes_input = matches!(self.input, Input::Open) && self.ended.is_none();
        let reads_input = takes_input && self.to_shell.is_empty() && self.has_room();
        let reads_output = !self.output_ended && room && scribe.thread.outstanding() < SEALED_MAX;
        let flags = |wanted: bool, flag| if wanted { flag } else { PollFlags::empty() };
        let pty_flags =
            flags(reads_output, PollFlags::IN) | flags(!self.to_shell.is_empty(), PollFlags::OUT);
        let mut fds = vec![
            PollFd::new(&self.relay.signals, PollFlags::IN),
            PollFd::new(&scribe.thread, PollFlags::IN),
            PollFd::new(&screen.thread, PollFlags::IN),
        ];
        // An fd that nothing is wanted of is left out: poll(2) would still report its hang-up, again and again.
        let want = |wanted: bool, fds: &mut Vec<_>, fd| {
            wanted.then(|| {
                fds.push(fd);
                fds.len() - 1
            })
        };
        let output = want(!pty_flags.is_empty(), &mut fds, PollFd::new(&self.relay.pty, pty_flags));
        let control =
            want(self.ended.is_none(), &mut fds, PollFd::new(&self.relay.contained, PollFlags::IN));
        let input = want(reads_input, &mut fds, PollFd::from_borrowed_fd(stdin, PollFlags::IN));
        match poll(&mut fds, Some(&self.patience())) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Cause::System(e.into())),
        }
        let any = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        let ready = |at: Option<usize>| {
            at.and_then(|at| fds.get(at)).is_some_and(|fd| fd.revents().intersects(any))
        };
        Ok(Ready {
            signals: ready(Some(0)),
            control: ready(control),
            chunks: ready(Some(1)) || ready(Some(2)),
            output: reads_output && ready(output),
            stdin: ready(input),
        })
    }

    /// Returns how long `poll` may wait: until the recorder, the deadline or an end of file is due.
    fn patience(&self) -> Timespec {
        let mut wait_ms = STORE_LOOK_MS;
        if self.relay.scribe.thread.outstanding() == 0 {
            wait_ms = wait_ms.min(self.relay.scribe.recorder().next_tick_ms());
        }
        if !self.hurry {
            wait_ms = wait_ms.min(self.relay.deadline.next_ms(self.relay.clock.boot_us()));
        }
        if let Input::Closed { next, .. } = self.input
            && self.takes_end_of_input()
        {
            let until = next.saturating_duration_since(Instant::now()).as_millis();
            wait_ms = wait_ms.min(u64::try_from(until).unwrap_or(u64::MAX).saturating_add(1));
        }
        Timespec {
            tv_sec: i64::try_from(wait_ms / 1_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(wait_ms % 1_000).unwrap_or(0) * 1_000_000,
        }
    }

    fn has_room(&self) -> bool {
        self.relay.watch.waiting_bytes() < self.relay.ladder.spool_max()
    }
}

/// How often the store's state is looked at.
const STORE_LOOK_MS: u64 = 1_000;
/// The most chunks that the scribe holds: one being sealed, one to go on with.
const SEALED_MAX: usize = 4;
