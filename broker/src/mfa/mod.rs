//! The second factor: six digits, asked for on the terminal, shown to nobody, kept by nobody.

pub mod totp;

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bg_relay::session::{Signal, Signals as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::os::signals::Signals;

/// Six digits. Zeroed when dropped, never printed.
pub struct Code(Zeroizing<String>);

impl Code {
    /// Reads six digits; spaces between them are how authenticators show them.
    pub fn parse(typed: &str) -> Option<Self> {
        let mut digits = Zeroizing::new(String::with_capacity(LINE_MAX));
        digits.extend(typed.chars().filter(|c| !c.is_whitespace()));
        let right = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        right.then_some(Self(digits))
    }

    /// Lends the digits.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// Who has seen the second factor; stands in the genesis as `mfa`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attested {
    /// AWS itself: a role's trust policy can demand it.
    Aws,
    /// This broker; AWS knows nothing of it.
    Broker,
    /// Nobody: the role asks for none.
    Nobody,
}

impl Attested {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Broker => "broker-attested",
            Self::Nobody => "none",
        }
    }
}

/// Asks for the code, until what is typed looks like one.
///
/// # Errors
/// When there is no terminal to ask on, or nobody answers.
pub fn ask(person: &str, role: &str, signals: &mut Signals) -> Result<Code, Failure> {
    let mut terminal = Quiet::enter()?;
    for _ in 0..TRIES {
        terminal.show(&format!("MFA code of {person} for {role}: "))?;
        let line = terminal.line(signals)?;
        if let Some(code) = Code::parse(&line) {
            return Ok(code);
        }
        terminal.show("bg-shell: a code has six digits\n")?;
    }
    Err(Failure::new("no MFA code was given")
        .hint("the six digits that the authenticator shows now"))
}

/// The controlling terminal with its echo off; its settings come back on every way out.
///
/// It stays in line mode, so that a session around this one sees a secret prompt, too, and records a length only.
struct Quiet {
    terminal: OwnedFd,
    before: Termios,
}

impl Quiet {
    fn enter() -> Result<Self, Failure> {
        let refused = |e: rustix::io::Errno| {
            Failure::new("there is no terminal to ask for the MFA code on")
                .because(std::io::Error::from(e))
                .hint(
                    "run bg-shell from a terminal (ssh -t); a code is never taken from a flag or a variable",
                )
        };
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = open(TERMINAL, flags, Mode::empty()).map_err(refused)?;
        if tcgetpgrp(&terminal).map_err(refused)? != getpgrp() {
            return Err(Failure::new("cannot ask for the MFA code in the background")
                .hint("leave the & away"));
        }
        let before = tcgetattr(&terminal).map_err(refused)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        quiet.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        // What was typed before the question is no answer to it.
        tcsetattr(&terminal, OptionalActions::Flush, &quiet).map_err(refused)?;
        Ok(Self { terminal, before })
    }

    fn show(&mut self, text: &str) -> Result<(), Failure> {
        let written = rustix::io::write(&self.terminal, text.as_bytes());
        written.map(drop).map_err(|e| lost(e.into()))
    }

    /// Waits for a line, or for a signal that wants an end.
    fn line(&mut self, signals: &mut Signals) -> Result<Zeroizing<String>, Failure> {
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            let mut ready =
                [PollFd::new(&self.terminal, PollFlags::IN), PollFd::new(&*signals, PollFlags::IN)];
            match poll(&mut ready, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(lost(e.into())),
            }
            let typed = ready.first().is_some_and(|fd| !fd.revents().is_empty());
            let wants_end =
                |signal: &Signal| !matches!(signal, Signal::Resized | Signal::Continued);
            if signals.pending().iter().any(wants_end) {
                self.show("\n")?;
                return Err(Failure::new("no MFA code was given: interrupted"));
            }
            if typed {
                let line = self.read()?;
                self.show("\n")?;
                return Ok(line);
            }
        }
        self.show("\n")?;
        Err(Failure::new("no MFA code was given in five minutes"))
    }

    fn read(&self) -> Result<Zeroizing<String>, Failure> {
        let mut buffer = Zeroizing::new([0; LINE_MAX]);
        let read = rustix::io::read(&self.terminal, &mut buffer[..]).map_err(|e| lost(e.into()))?;
        if read == 0 {
            return Err(lost(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let typed = buffer.get(..read).unwrap_or_default();
        Ok(Zeroizing::new(std::str::from_utf8(typed).unwrap_or_default().to_owned()))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that has vanished needs no settings.
        tcsetattr(&self.terminal, OptionalActions::Flush, &self.before).unwrap_or(());
    }
}

fn lost(e: std::io::Error) -> Failure {
    Failure::new("cannot read the MFA code from the terminal").because(e)
}

/// The controlling terminal (tty(4)), whatever standard input is.
const TERMINAL: &str = "/dev/tty";
const DIGITS: usize = 6;
const TRIES: u32 = 3;
const LINE_MAX: usize = 256;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits_and_prints_none_of_them() {
        assert_eq!(Code::parse("123456\n").unwrap().digits(), "123456");
        assert_eq!(Code::parse(" 123 456 \r\n").unwrap().digits(), "123456");
        for bad in ["", "12345", "1234567", "12345a", "\u{661}23456", "-12345"] {
            assert!(Code::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{:?}", Code::parse("123456")), "Some(Code(..))");
    }
}
