//! The loop between terminal and shell: nothing reaches either side before the recorder has accepted it.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use bg_recorder::clock::Clock;
use bg_recorder::event::{CHUNK_MAX, Event, Notice, StoreState};
use bg_recorder::recorder::{RecordError, Recorder};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::config::Secrets;
use crate::contain::{Contained, Ended, Ending};
use crate::deadline::{Deadline, Due};
use crate::pty::Pty;
use crate::say::say;
use crate::screen::ScreenState;
use crate::signals::{Signal, Signals};
use crate::terminal::{self, Screen};

/// Everything the loop touches.
pub struct Relay<'a> {
    /// Accepts events.
    pub recorder: &'a mut Recorder,
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
    /// What becomes of input at a secret prompt.
    pub secrets: Secrets,
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
}

impl Relay<'_> {
    /// Runs until the session has ended and all it wrote is on the screen.
    pub fn run(self) -> Outcome {
        let mut run = Run {
            relay: self,
            to_shell: Outbox::default(),
            to_screen: Outbox::default(),
            state: ScreenState::default(),
            input: Input::Open,
            terminal: rustix::termios::isatty(rustix::stdio::stdin()),
            output_ended: false,
            ending: None,
            hurry: false,
            ended: None,
            warning: None,
            store_down: false,
            unreleased: 0,
            buffer: vec![0; CHUNK_MAX],
        };
        let failed = run.turns().err();
        let cause = match failed {
            Some(cause) => cause,
            None => run.ending.take().map_or_else(|| unasked(run.ended.as_ref()), |(cause, _)| cause),
        };
        Outcome { cause, ended: run.ended, unreleased: run.unreleased }
    }
}

struct Run<'a> {
    relay: Relay<'a>,
    to_shell: Outbox,
    to_screen: Outbox,
    state: ScreenState,
    input: Input,
    /// Standard input is a terminal: its end is a hang-up. One that has hung up cannot be asked any more.
    terminal: bool,
    output_ended: bool,
    /// Why the session is being ended, and since when.
    ending: Option<(Cause, Instant)>,
    /// Somebody wants an end now: a screen that takes no output is not waited for any more.
    hurry: bool,
    ended: Option<Ended>,
    /// A line of ours that waits for a moment when it breaks nothing.
    warning: Option<String>,
    store_down: bool,
    unreleased: u64,
    buffer: Vec<u8>,
}

/// Standard input.
enum Input {
    Open,
    /// It ended; the session is sent its end-of-file character whenever it has read everything.
    Closed {
        next: Instant,
        pause: Duration,
    },
    /// Nothing more is taken.
    Shut,
}

/// What `poll` found ready.
struct Ready {
    stdin: bool,
    output: bool,
    signals: bool,
    control: bool,
}

impl Run<'_> {
    fn turns(&mut self) -> Result<(), Cause> {
        let mut idle = None;
        loop {
            let ready = self.wait()?;
            if ready.signals {
                self.signals()?;
            }
            if ready.stdin {
                self.read_input()?;
            }
            if ready.output {
                self.read_output()?;
            }
            if ready.control && self.ended.is_none() {
                self.ended = self.relay.contained.ended().map_err(Cause::System)?;
                if self.ended.is_some() {
                    self.relay.pty.let_go();
                }
            }
            self.flush()?;
            self.end_of_input()?;
            self.time()?;
            let shown = self.to_screen.is_empty();
            let since = *idle.get_or_insert_with(Instant::now);
            if self.ended.is_none() || !(shown || self.hurry) {
                idle = None;
            } else if (self.output_ended && shown) || since.elapsed() > DRAIN_PATIENCE {
                return Ok(());
            }
        }
    }

    fn wait(&self) -> Result<Ready, Cause> {
        let stdin = rustix::stdio::stdin();
        let room = (self.to_screen.is_empty() || self.hurry) && self.has_room();
        let takes_input = matches!(self.input, Input::Open) && self.ended.is_none();
        let reads_input = takes_input && self.to_shell.is_empty() && self.has_room();
        let reads_output = !self.output_ended && room;
        let flags = |wanted: bool, flag| if wanted { flag } else { PollFlags::empty() };
        let pty_flags = flags(reads_output, PollFlags::IN) | flags(!self.to_shell.is_empty(), PollFlags::OUT);
        let mut fds = vec![
            PollFd::new(&self.relay.signals, PollFlags::IN),
            PollFd::new(&self.relay.contained, flags(self.ended.is_none(), PollFlags::IN)),
        ];
        // An fd that nothing is wanted of is left out: poll(2) would still report its hang-up, again and again.
        let want = |wanted: bool, fds: &mut Vec<_>, fd| {
            wanted.then(|| {
                fds.push(fd);
                fds.len() - 1
            })
        };
        let output = want(!pty_flags.is_empty(), &mut fds, PollFd::new(&self.relay.pty, pty_flags));
        let input = want(reads_input, &mut fds, PollFd::from_borrowed_fd(stdin, PollFlags::IN));
        if !self.to_screen.is_empty() {
            fds.push(PollFd::from_borrowed_fd(self.relay.screen.as_fd(), PollFlags::OUT));
        }
        match poll(&mut fds, Some(&self.patience())) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Cause::System(e.into())),
        }
        let any = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        let ready =
            |at: Option<usize>| at.and_then(|at| fds.get(at)).is_some_and(|fd| fd.revents().intersects(any));
        Ok(Ready {
            signals: ready(Some(0)),
            control: ready(Some(1)),
            output: reads_output && ready(output),
            stdin: ready(input),
        })
    }

    /// Returns how long `poll` may wait: until the recorder, the deadline or an end of file is due.
    fn patience(&self) -> Timespec {
        let mut wait_ms = self.relay.recorder.next_tick_ms().min(STORE_LOOK_MS);
        if !self.hurry {
            wait_ms = wait_ms.min(self.relay.deadline.next_ms(self.relay.clock.boot_us()));
        }
        if let Input::Closed { next, .. } = self.input {
            let until = next.saturating_duration_since(Instant::now()).as_millis();
            wait_ms = wait_ms.min(u64::try_from(until).unwrap_or(u64::MAX).saturating_add(1));
        }
        Timespec {
            tv_sec: i64::try_from(wait_ms / 1_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(wait_ms % 1_000).unwrap_or(0) * 1_000_000,
        }
    }

    fn has_room(&self) -> bool {
        self.relay.recorder.waiting_bytes() < SPOOL_MAX
    }

    fn read_input(&mut self) -> Result<(), Cause> {
        let read = match rustix::io::read(rustix::stdio::stdin(), &mut self.buffer) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(()),
            // A terminal that hung up reads EIO.
            Ok(0) | Err(_) => return self.input_ended(),
            Ok(read) => read,
        };
        let secret =
            self.relay.secrets == Secrets::Redact && self.relay.pty.secret_entry().map_err(Cause::System)?;
        let bytes = self.buffer.get(..read).unwrap_or_default();
        let notice = Notice::Redacted { bytes: read as u64 };
        let event = if secret { Event::Notice(&notice) } else { Event::Input(bytes) };
        if let Err(e) = self.relay.recorder.accept(event) {
            self.unreleased += read as u64;
            return Err(Cause::Recorder(e));
        }
        self.to_shell.push(bytes);
        Ok(())
    }

    fn input_ended(&mut self) -> Result<(), Cause> {
        self.relay.recorder.accept(Event::Notice(&Notice::StdinClosed)).map_err(Cause::Recorder)?;
        if self.terminal {
            self.input = Input::Shut;
            return self.end(Cause::HangUp);
        }
        self.input = Input::Closed { next: Instant::now(), pause: EOF_PAUSE_MIN };
        Ok(())
    }

    /// Gives a session whose standard input has ended its end-of-file character (termios(3), VEOF) whenever it
    /// has read all before it: an ended pipe stays ended for every program that reads it.
    fn end_of_input(&mut self) -> Result<(), Cause> {
        let Input::Closed { next, pause } = self.input else { return Ok(()) };
        if Instant::now() < next || !self.to_shell.is_empty() || self.output_ended || self.ended.is_some() {
            return Ok(());
        }
        self.input = Input::Closed { next: Instant::now() + pause, pause: EOF_PAUSE_MAX.min(pause * 2) };
        if let Some(character) = self.relay.pty.end_of_file().map_err(Cause::System)? {
            self.relay.recorder.accept(Event::Input(&[character])).map_err(Cause::Recorder)?;
            self.to_shell.push(&[character]);
        }
        Ok(())
    }

    fn read_output(&mut self) -> Result<(), Cause> {
        let read = self.relay.pty.read(&mut self.buffer).map_err(Cause::System)?;
        self.output_ended = read.ended;
        let bytes = self.buffer.get(..read.len).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.relay.recorder.accept(Event::Output(bytes)) {
            self.unreleased += read.len as u64;
            return Err(Cause::Recorder(e));
        }
        self.state.feed(bytes);
        self.to_screen.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Cause> {
        let pty = &self.relay.pty;
        self.to_shell.flush(|bytes| pty.write(bytes)).map_err(Cause::System)?;
        self.draw_warning();
        let screen = &self.relay.screen;
        if self.to_screen.flush(|bytes| screen.write(bytes)).is_err() {
            // Nobody sees the output any more; what is still to come is recorded all the same.
            self.to_screen.clear();
            return self.end(Cause::HangUp);
        }
        Ok(())
    }

    fn signals(&mut self) -> Result<(), Cause> {
        for signal in self.relay.signals.pending() {
            match signal {
                Signal::Resized => self.resize()?,
                Signal::HungUp => self.end(Cause::HangUp)?,
                Signal::Terminated(name) => self.end(Cause::Signal(name))?,
            }
        }
        Ok(())
    }

    fn resize(&mut self) -> Result<(), Cause> {
        let size = terminal::size();
        let event = Event::Resize { cols: size.ws_col, rows: size.ws_row };
        self.relay.recorder.accept(event).map_err(Cause::Recorder)?;
        self.relay.pty.resize(size).map_err(Cause::System)
    }

    /// Begins to end the session; its processes get a moment to say their last.
    fn end(&mut self, cause: Cause) -> Result<(), Cause> {
        self.hurry = true;
        if self.ending.is_none() && self.ended.is_none() {
            self.ending = Some((cause, Instant::now()));
            self.input = Input::Shut;
            self.relay.contained.end().map_err(Cause::System)?;
        }
        Ok(())
    }

    fn time(&mut self) -> Result<(), Cause> {
        self.relay.recorder.tick().map_err(Cause::Recorder)?;
        match self.relay.deadline.due(self.relay.clock.boot_us()) {
            Due::Nothing => {}
            Due::Over => self.end(Cause::Deadline)?,
            Due::Warning(left_s) => {
                let notice = Notice::Deadline { left_s };
                self.relay.recorder.accept(Event::Notice(&notice)).map_err(Cause::Recorder)?;
                let left = humantime::format_duration(Duration::from_secs(left_s));
                self.warning = Some(format!("bg-shell: this session ends in {left}"));
            }
        }
        match &self.ending {
            // The keeper did not end it: it is ended by dropping it.
            Some((_, since)) if self.ended.is_none() && since.elapsed() > END_PATIENCE => {
                Err(Cause::System(io::Error::other("the session's processes did not end")))
            }
            _ => self.store(),
        }
    }

    fn store(&mut self) -> Result<(), Cause> {
        let down = self.relay.recorder.down();
        if down.is_some_and(|since| since.elapsed() > STORE_PATIENCE) {
            return Err(Cause::Recorder(RecordError::Store("it was down for 15 minutes".into())));
        }
        if down.is_some() != self.store_down {
            self.store_down = down.is_some();
            let state = if self.store_down { StoreState::Down } else { StoreState::Up };
            self.relay.recorder.accept(Event::Notice(&Notice::Store { state })).map_err(Cause::Recorder)?;
            self.warning = Some(match state {
                StoreState::Down => {
                    "bg-shell: the evidence store does not answer; recording goes to the spool".into()
                }
                StoreState::Up => "bg-shell: the evidence store answers again".into(),
            });
        }
        Ok(())
    }

    /// Draws a line of ours where that breaks no sequence and no full-screen program: there, the window's title
    /// takes it, and the bell rings.
    fn draw_warning(&mut self) {
        if !self.relay.screen.is_terminal() {
            if let Some(line) = self.warning.take() {
                say!("{line}");
            }
        } else if self.state.between()
            && let Some(line) = self.warning.take()
        {
            let drawn = if self.state.full_screen() {
                format!("\x1b]2;{line}\x07\x07")
            } else {
                format!("\r\n{line}\r\n")
            };
            self.to_screen.push(drawn.as_bytes());
        }
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

/// Bytes on their way to one side.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    at: usize,
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }

    /// Writes as much as is taken now.
    fn flush(&mut self, write: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            match write(rest)? {
                0 => return Ok(()),
                written => self.at += written,
            }
        }
        self.clear();
        Ok(())
    }
}

/// How long more output is waited for after the session has ended, or a screen when somebody wants an end now.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
/// How long the keeper may take to end everything.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// How long the store may be down.
const STORE_PATIENCE: Duration = Duration::from_secs(900);
/// How often the store's state is looked at.
const STORE_LOOK_MS: u64 = 1_000;
/// The most bytes that wait in the spool for the store; then the session waits, too.
const SPOOL_MAX: u64 = 1 << 30;
const EOF_PAUSE_MIN: Duration = Duration::from_millis(50);
const EOF_PAUSE_MAX: Duration = Duration::from_secs(1);
