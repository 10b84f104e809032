//! The loop between terminal and shell: nothing reaches either side before the recorder has accepted it.

mod events;
mod input;
mod output;
mod ready;
mod renewal;
mod store;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bg_recorder::clock::Clock;
use bg_recorder::event::{CHUNK_MAX, Event};
use bg_recorder::record::RecordError;
use serde::{Deserialize, Serialize};

use self::input::Input;
use crate::deadline::{Deadline, Due};
use crate::kernel::Kernel;
use crate::ladder::Ladder;
use crate::outside::{Granted, Herald, Letterbox, Revoked, Switch, Term};
use crate::question::Question;
use crate::screen::ScreenState;
use crate::session::{Contained, Ended, Ending, Inlet, Line, Signals, Word};
use crate::tap::{Seen, Tap};
use crate::tape::{Keys, Lane, Store, Tape};
use crate::terminal::Terminal;
use crate::to_shell::ToShell;

/// Everything the loop touches.
pub struct Relay<'a> {
    /// What is ready, and how much time has passed.
    pub kernel: &'a dyn Kernel,
    /// The time of day, and the deadline's.
    pub clock: &'a dyn Clock,
    /// Accepts events at once.
    pub tape: &'a dyn Tape,
    /// Has large chunks of output accepted.
    pub scribe: Lane<'a, RecordError>,
    /// How far shipping is.
    pub store: &'a dyn Store,
    /// Where the keys come from.
    pub keys: &'a dyn Keys,
    /// Where the responder types and looks.
    pub terminal: Terminal,
    /// The session's terminal.
    pub pty: Box<dyn Line>,
    /// Its standard input, where that is no terminal.
    pub inlet: Option<Box<dyn Inlet>>,
    /// The session's processes.
    pub contained: Box<dyn Contained>,
    /// Signals to this process.
    pub signals: Box<dyn Signals>,
    /// The time limit.
    pub deadline: Deadline,
    /// What becomes of the session while the store is away.
    pub ladder: Ladder,
    /// Takes extensions.
    pub letterbox: Box<dyn Letterbox>,
    /// Moves the session's end for others.
    pub term: Box<dyn Term + 'a>,
    /// Who is told what others should know.
    pub herald: &'a dyn Herald,
    /// Ends the session from outside.
    pub switch: &'a dyn Switch,
    /// What becomes of input at a secret prompt.
    pub secrets: Secrets,
    /// What the window is called while the session runs, where it is to be told from others.
    pub title: Option<String>,
}

/// What becomes of input typed where a secret is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// Its length goes onto the tape.
    Redact,
    /// It goes onto the tape.
    Record,
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
    /// What it wrote could not be written any more.
    Output(io::Error),
    /// A signal asked for it.
    Signal(&'static str),
    /// Somebody revoked it.
    Revoked(Revoked),
    /// It never had its access. The loop itself never says so.
    NoAccess(String),
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
            shown: self.kernel.monotonic(),
            looked: self.kernel.monotonic(),
            relay: self,
            tap: Tap::default(),
            question: Question::default(),
            to_shell: ToShell::default(),
            state: ScreenState::default(),
            input: Input::Open,
            output_ended: false,
            after_end: 0,
            ending: None,
            hurry: false,
            screen_lost: false,
            ended: None,
            warning: None,
            renewals: VecDeque::new(),
            renewing: false,
            title: None,
            repaint_at: None,
            unreleased: 0,
            buffer: vec![0; CHUNK_MAX],
            spare: Vec::new(),
        };
        run.state.resized(run.relay.terminal.screen.size().ws_row);
        let failed = run.mark().and_then(|()| run.turns()).err();
        let failed = failed.or(run.count_unreleased().err());
        let gives_back = run.give_back();
        if failed.is_some() || gives_back {
            run.show_the_rest();
        }
        let cause = failed.or_else(|| run.ending.take().map(|(cause, _)| cause));
        let cause = cause.unwrap_or_else(|| run.unasked());
        Outcome { cause, ended: run.ended, unreleased: run.unreleased, seen: run.tap.finish() }
    }
}

struct Run<'a> {
    relay: Relay<'a>,
    /// Listens for the report.
    tap: Tap,
    /// Reads what the screen asks.
    question: Question,
    to_shell: ToShell,
    state: ScreenState,
    input: Input,
    output_ended: bool,
    /// Bytes of output read after the session had ended.
    after_end: usize,
    /// Why the session is being ended, and since when.
    ending: Option<(Cause, Duration)>,
    /// Somebody wants an end now: a screen that takes no output is not waited for any more.
    hurry: bool,
    /// Nobody sees the output any more.
    screen_lost: bool,
    /// When the terminal's settings were last looked at.
    looked: Duration,
    /// When the screen last took a chunk.
    shown: Duration,
    ended: Option<Ended>,
    /// A line of ours that waits for a moment when it breaks nothing.
    warning: Option<String>,
    /// Extensions that move the session's end, one after the other.
    renewals: VecDeque<Granted>,
    /// Whether one is being written down.
    renewing: bool,
    /// What the window is to be called from now on.
    title: Option<String>,
    /// When a full-screen program is to draw itself again, over a line of ours.
    repaint_at: Option<Duration>,
    unreleased: u64,
    buffer: Vec<u8>,
    /// Chunks that came back, to be filled again.
    spare: Vec<Vec<u8>>,
}

impl Run<'_> {
    /// Returns how long ago that was.
    fn since(&self, then: Duration) -> Duration {
        self.relay.kernel.monotonic().saturating_sub(then)
    }

    /// Records one event, or ends the session.
    fn record(&self, event: Event<'_>) -> Result<(), Cause> {
        self.relay.tape.accept(event).map_err(Cause::Recorder)
    }

    fn turns(&mut self) -> Result<(), Cause> {
        let mut idle = None;
        loop {
            let ready = self.wait()?;
            // A signal that came while poll(2) looked has been handled by now: a resize before a key stays before it.
            if ready.signals || ready.stdin {
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
            let waiting = self.relay.scribe.outstanding() + self.relay.terminal.slow.outstanding();
            let shown = waiting == 0;
            let now = self.relay.kernel.monotonic();
            let since = *idle.get_or_insert(now);
            if self.ended.is_none() || !(shown || self.hurry) {
                idle = None;
            } else if (self.output_ended && shown) || now.saturating_sub(since) > DRAIN_PATIENCE {
                return Ok(());
            }
            if self.after_end > BACKLOG_MAX && shown {
                return Ok(());
            }
        }
    }

    fn control(&mut self) -> Result<(), Cause> {
        while self.ended.is_none() {
            let Some(word) = self.relay.contained.word().map_err(Cause::System)? else { break };
            // The access is closed now, whoever of the session is still to be killed.
            self.relay.switch.off("the session is over");
            if let Word::Ended(ended) = word {
                self.ended = Some(ended);
                self.relay.pty.let_go();
                self.shut_inlet()?;
            }
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Returns why a session came to its end that this loop did not ask to end.
    fn unasked(&mut self) -> Cause {
        let over = self.relay.deadline.due(self.relay.clock.boot_us()) == Due::Over;
        match unasked(self.ended.as_ref()) {
            // Whoever watched over it beside this loop was quicker.
            Cause::Exit if over => Cause::Deadline,
            cause => cause,
        }
    }
}

fn unasked(ended: Option<&Ended>) -> Cause {
    match ended {
        Some(Ended { how: Ending::KeeperLost, .. }) => {
            Cause::System(io::Error::other("its keeper was killed"))
        }
        Some(Ended { how: Ending::Unheard, .. }) => Cause::System(io::Error::other(UNHEARD)),
        _ => Cause::Exit,
    }
}

const UNHEARD: &str =
    "its keeper had heard nothing of the recorder for 10 s: somebody had stopped it";
/// More output than a pty can hold: somebody from outside writes to the session's terminal.
const BACKLOG_MAX: usize = 4 * CHUNK_MAX;
/// How long more output is waited for after the session has ended, or a screen when somebody wants an end now.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
