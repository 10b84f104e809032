//! What a session does while it lives.

use std::time::Duration;

/// Of ten sessions one is typing all the time, three type now and then, six are idle: an incident has few hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody touches it: heartbeats only.
    Idle,
    /// A command of twelve keys and its 1 KiB of output every 20 s.
    Sometimes,
    /// Five keys a second, each echoed; every twelfth ends a command with 1 KiB of output.
    Typing,
    /// 1 MB/s of log lines.
    Flooding,
}

/// What happens next, and how long after what happened last.
pub enum Next {
    /// A key and its echo.
    Key(Duration),
    /// Enter, and what the command writes.
    Command(Duration),
    /// A chunk of log.
    Chunk(Duration),
    /// Nothing any more.
    Nothing,
}

impl Kind {
    /// Returns what session `n` does: the last `flooding` of every 200 flood.
    pub fn of(n: usize, flooding: usize) -> Self {
        match n % 10 {
            _ if n % 200 < flooding => Self::Flooding,
            9 => Self::Typing,
            6..=8 => Self::Sometimes,
            _ => Self::Idle,
        }
    }

    /// Returns what comes after `events` events.
    pub fn next(self, events: u64) -> Next {
        let enter = events % KEYS == KEYS - 1;
        match self {
            Self::Idle => Next::Nothing,
            Self::Flooding => Next::Chunk(Duration::from_millis(50)),
            Self::Sometimes if events.is_multiple_of(KEYS) => Next::Key(Duration::from_secs(18)),
            _ if enter => Next::Command(KEY_EVERY),
            _ => Next::Key(KEY_EVERY),
        }
    }
}

/// Returns `len` bytes of a log that compresses as logs do.
pub fn log(session: usize, line: &mut u64, len: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(len + 128);
    while text.len() < len {
        *line += 1;
        // A cheap generator: the bench must not measure its own.
        let mixed = line.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (session as u64) << 32;
        let status = [200, 200, 200, 304, 404, 500][usize::try_from(mixed % 6).unwrap_or(0)];
        let row = format!(
            "2026-11-23T10:{:02}:{:02}Z app-{session} GET /v1/orders/{mixed:016x} {status} {}ms\r\n",
            *line / 60 % 60,
            *line % 60,
            mixed % 900
        );
        text.extend_from_slice(row.as_bytes());
    }
    text.truncate(len);
    text
}

const KEYS: u64 = 12;
const KEY_EVERY: Duration = Duration::from_millis(200);
