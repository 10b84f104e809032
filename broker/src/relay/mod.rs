//! The loop between terminal and shell: nothing reaches either side before the recorder has accepted it.

pub mod deadline;
pub mod screen;
pub mod to_shell;

mod events;
mod input;
mod output;
mod ready;
mod store;

use std::io;
use std::time::{Duration, Instant};

use bg_recorder::clock::Clock;
use bg_recorder::epoch::KeyWatch;
use bg_recorder::event::CHUNK_MAX;
use bg_recorder::record::RecordError;
use bg_recorder::ship::Watch;

use self::input::Input;
use crate::config::Secrets;
use crate::custody::switch::{Revoked, Switch};
use crate::failure::Failure;
use crate::herald::Herald;
use crate::os::contain::{Contained, Ended, Ending};
use crate::os::pty::Pty;
use crate::os::signals::Signals;
use crate::os::terminal::Screen;
use crate::outage::ladder::Ladder;
use crate::outage::letterbox::Letterbox;
use crate::relay::deadline::Deadline;
use crate::relay::screen::ScreenState;
use crate::relay::to_shell::Outbox;
use crate::scribe::Scribe;
use crate::tap::{Seen, Tap};

/// Everything the loop touches.
pub struct Relay<'a> {
    /// Accepts events.
    pub scribe: &'a mut Scribe,
    /// How far shipping is.
    pub watch: Watch,
    /// Where the keys come from.
    pub keys: KeyWatch,
    /// The time, for the deadline.
    pub clock: &'a dyn Clock,
    /// The session's terminal.
    pub pty: Pty,
    /// The session's processes.
    pub contained: Contained,
    /// The responder's screen.
    pub screen: Screen,
    /// Signals to this process.
    pub signals: Signals,
    /// The time limit.
    pub deadline: Deadline,
    /// What becomes of the session while the store is away.
    pub ladder: Ladder,
    /// Takes extensions.
    pub letterbox: Letterbox,
    /// Who is told that the time is nearly over.
    pub herald: &'a Herald<'a>,
    /// What becomes of input at a secret prompt.
    pub secrets: Secrets,
    /// Ends the session from outside.
    pub switch: Switch,
    /// Listens for the report.
    pub tap: Tap,
}

/// Why a session came to its end.
#[derive(Debug)]
pub enum Cause {
    /// Its leader ended.
    Exit,
    /// Its time was over.
    Deadline,
    /// The terminal or the reader of our output is gone.
    HangUp,
    /// A signal asked for it.
    Signal(&'static str),
    /// Somebody revoked it.
    Revoked(Revoked),
    /// It never had its access.
    NoAccess(Failure),
    /// The evidence store was away for too long.
    Outage(String),
    /// The recorder could not go on.
    Recorder(RecordError),
    /// The system could not go on.
    System(io::Error),
}

/// What the loop ends with.
#[derive(Debug)]
pub struct Outcome {
    /// Why.
    pub cause: Cause,
    /// How the leader ended, where it is known.
    pub ended: Option<Ended>,
    /// Bytes that were read from one side and never released to the other, because they were not recorded.
    pub unreleased: u64,
    /// What the report needs of what was typed and shown.
    pub seen: Seen,
}

impl Outcome {
    /// Returns the outcome of a session that was not begun.
    pub fn of(cause: Cause) -> Self {
        Self { cause, ended: None, unreleased: 0, seen: Seen::default() }
    }
}

impl Relay<'_> {
    /// Runs until the session has ended and all it wrote is on the screen.
    pub fn run(self) -> Outcome {
        let mut run = Run {
            relay: self,
            to_shell: Outbox::default(),
            state: ScreenState::default(),
            input: Input::Open,
            terminal: rustix::termios::isatty(rustix::stdio::stdin()),
            output_ended: false,
            after_end: 0,
            ending: None,
            hurry: false,
            screen_lost: false,
            shown: Instant::now(),
            ended: None,
            warning: None,
            unreleased: 0,
            buffer: vec![0; CHUNK_MAX],
            spare: Vec::new(),
        };
        let failed = run.turns().err();
        let failed = failed.or(run.count_unreleased().err());
        if failed.is_some() {
            run.show_the_rest();
        }
        let cause = match failed {
            Some(cause) => cause,
            None => {
                run.ending.take().map_or_else(|| unasked(run.ended.as_ref()), |(cause, _)| cause)
            }
        };
        Outcome {
            cause,
            ended: run.ended,
            unreleased: run.unreleased,
            seen: run.relay.tap.finish(),
        }
    }
}

struct Run<'a> {
    relay: Relay<'a>,
    to_shell: Outbox,
    state: ScreenState,
    input: Input,
    /// Standard input is a terminal: its end is a hang-up. One that has hung up cannot be asked any more.
    terminal: bool,
    output_ended: bool,
    /// Bytes of output read after the session had ended.
    after_end: usize,
    /// Why the session is being ended, and since when.
    ending: Option<(Cause, Instant)>,
    /// Somebody wants an end now: a screen that takes no output is not waited for any more.
    hurry: bool,
    /// Nobody sees the output any more.
    screen_lost: bool,
    /// When the screen last took a chunk.
    shown: Instant,
    ended: Option<Ended>,
    /// A line of ours that waits for a moment when it breaks nothing.
    warning: Option<String>,
    unreleased: u64,
    buffer: Vec<u8>,
    /// Chunks that came back, to be filled again.
    spare: Vec<Vec<u8>>,
}

impl Run<'_> {
    fn turns(&mut self) -> Result<(), Cause> {
        let mut idle = None;
        loop {
            let ready = self.wait()?;
            if ready.signals {
                self.signals()?;
            }
            if ready.chunks {
                self.collect()?;
            }
            // A signal of this turn may have shut it.
            if ready.stdin && matches!(self.input, Input::Open) {
                self.read_input()?;
            }
            if ready.output {
                self.read_output()?;
            }
            if ready.control && self.ended.is_none() {
                self.control()?;
            }
            self.flush()?;
            self.end_of_input()?;
            self.time()?;
            let shown = self.relay.scribe.thread.outstanding()
                + self.relay.screen.thread.outstanding()
                == 0;
            let since = *idle.get_or_insert_with(Instant::now);
            if self.ended.is_none() || !(shown || self.hurry) {
                idle = None;
            } else if (self.output_ended && shown) || since.elapsed() > DRAIN_PATIENCE {
                return Ok(());
            }
            if self.after_end > BACKLOG_MAX && shown {
                return Ok(());
            }
        }
    }

    fn control(&mut self) -> Result<(), Cause> {
        self.ended = self.relay.contained.ended().map_err(Cause::System)?;
        if self.ended.is_some() {
            self.relay.switch.off("the session is over");
            self.relay.pty.let_go();
        }
        Ok(())
    }
}

/// Returns why a session came to its end that nobody asked to end.
fn unasked(ended: Option<&Ended>) -> Cause {
    match ended {
        Some(Ended { how: Ending::KeeperLost, .. }) => {
            Cause::System(io::Error::other("its keeper was killed"))
        }
        _ => Cause::Exit,
    }
}

/// More output than a pty can hold: somebody from outside writes to the session's terminal.
const BACKLOG_MAX: usize = 4 * CHUNK_MAX;
/// How long more output is waited for after the session has ended, or a screen when somebody wants an end now.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
