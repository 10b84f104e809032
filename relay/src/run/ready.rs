//! What can be done now, and how long nothing can.

use std::os::fd::AsFd as _;
use std::time::Duration;

use super::input::Input;
use super::{Cause, Run};
use crate::kernel::{Awaited, PollFlags};

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
        let relay = &self.relay;
        let room = self.screen_has_room() && self.has_room();
        let takes_input = matches!(self.input, Input::Open) && self.ended.is_none();
        let reads_input = takes_input && self.to_shell.is_empty() && self.has_room();
        let reads_output = !self.output_ended && room && relay.scribe.outstanding() < SEALED_MAX;
        let flags = |wanted: bool, flag| if wanted { flag } else { PollFlags::empty() };
        let writes = flags(!self.to_shell.is_empty(), PollFlags::OUT);
        let fed = relay.inlet.is_some();
        let pty = flags(reads_output, PollFlags::IN) | flags(!fed, writes);
        let inlet = relay.inlet.as_deref().map_or(relay.pty.as_fd(), |inlet| inlet.as_fd());
        let mut awaited = [
            Awaited::new(&*relay.signals, PollFlags::IN),
            Awaited::new(&relay.scribe, PollFlags::IN),
            Awaited::new(&relay.terminal.slow, PollFlags::IN),
            Awaited::new(&*relay.pty, pty),
            Awaited::new(&inlet, flags(fed, writes)),
            Awaited::new(&*relay.contained, flags(self.ended.is_none(), PollFlags::IN)),
            Awaited::new(&*relay.terminal.keyboard, flags(reads_input, PollFlags::IN)),
        ];
        relay.kernel.poll(&mut awaited, self.patience()).map_err(Cause::System)?;
        let [signals, sealed, shown, output, _, control, stdin] =
            awaited.map(|awaited| awaited.readable());
        let output = reads_output && output;
        Ok(Ready { signals, control, chunks: sealed || shown, output, stdin })
    }

    /// Returns how long `poll` may wait: until the recorder, the deadline or a look at the input's end is due.
    fn patience(&self) -> Duration {
        let mut wait_ms = STORE_LOOK_MS;
        if self.relay.scribe.outstanding() == 0 {
            wait_ms = wait_ms.min(self.relay.tape.next_tick_ms());
        }
        if !self.hurry {
            wait_ms = wait_ms.min(self.relay.deadline.next_ms(self.relay.clock.boot_us()));
        }
        if let Input::Ended { next, .. } = self.input
            && self.to_shell.is_empty()
        {
            let until = next.saturating_sub(self.relay.kernel.monotonic()).as_millis();
            wait_ms = wait_ms.min(u64::try_from(until).unwrap_or(u64::MAX).saturating_add(1));
        }
        Duration::from_millis(wait_ms)
    }

    fn has_room(&self) -> bool {
        self.relay.store.waiting_bytes() < self.relay.ladder.spool_max()
    }
}

/// How often the store's state is looked at.
const STORE_LOOK_MS: u64 = 1_000;
/// The most chunks that the scribe holds: one being sealed, one to go on with.
const SEALED_MAX: usize = 4;
