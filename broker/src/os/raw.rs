//! The settings of the responder's terminal: raw while the session runs, restored on every way out (termios(3)).

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};

/// Standard input in raw mode. Dropping it restores the settings, also when a panic unwinds.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Makes standard input raw, if it is a terminal.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter() -> io::Result<Option<Self>> {
        let stdin = rustix::stdio::stdin();
        if !isatty(stdin) {
            return Ok(None);
        }
        let before = tcgetattr(stdin)?;
        tcsetattr(stdin, OptionalActions::Now, &rawer(&before))?;
        Ok(Some(Self { terminal: stdin.try_clone_to_owned()?, before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that has vanished needs no settings.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).unwrap_or(());
    }
}

fn rawer(settings: &Termios) -> Termios {
    let mut raw = settings.clone();
    raw.make_raw();
    raw
}

/// Makes standard input raw again, where somebody has made it something else: a shell, while this process was stopped.
/// Returns whether it had to. In the background nothing is done: the terminal is another's.
pub fn make_raw() -> bool {
    let stdin = rustix::stdio::stdin();
    if in_background() {
        return false;
    }
    // What is no terminal, or none any more, needs no settings.
    let Ok(now) = tcgetattr(stdin) else { return false };
    let kept = now.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
    let waits = now.special_codes[SpecialCodeIndex::VMIN] != 1
        || now.special_codes[SpecialCodeIndex::VTIME] != 0;
    (kept || waits) && tcsetattr(stdin, OptionalActions::Now, &rawer(&now)).is_ok()
}

/// Returns whether standard input is a terminal that another process group has: reading it would stop us
/// (tcsetpgrp(3)).
pub fn in_background() -> bool {
    let stdin = rustix::stdio::stdin();
    isatty(stdin) && tcgetpgrp(stdin).is_ok_and(|foreground| foreground != getpgrp())
}

/// Returns the settings of standard input, for the session's pty to begin with.
pub fn settings() -> Option<Termios> {
    let stdin = rustix::stdio::stdin();
    isatty(stdin).then(|| tcgetattr(stdin).ok()).flatten()
}
