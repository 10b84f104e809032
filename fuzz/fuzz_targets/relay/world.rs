//! Everything around the relay, in one place; whatever the relay asks of it is held against the law at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bg_recorder::event::{Event, Notice};
use bg_recorder::record::RecordError;
use bg_relay::kernel::{Awaited, PollFlags};
use bg_relay::outside::{Granted, News, Refused, Revoked};
use bg_relay::session::{Ended, Ending, Read, Reading, Signal, Word};
use bg_relay::terminal::Typed;

use crate::kernel::Source;
use crate::law::Law;
use crate::script::{Leave, Script};

/// Monotonic time.
pub static NOW_US: AtomicU64 = AtomicU64::new(START_US);

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Lends the world.
pub fn world<T>(look: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with(|world| look(&mut world.borrow_mut()))
}

/// One of the two threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    Scribe,
    Screen,
}

/// What a thread was given, and what came back.
#[derive(Default)]
pub struct Thread {
    pub given: VecDeque<Vec<u8>>,
    pub back: VecDeque<(Vec<u8>, bool)>,
    pub gone: bool,
    /// The scribe refuses after its first refusal; the screen's chunk is written so far.
    failed: bool,
    written: usize,
}

#[derive(Default)]
pub struct World {
    pub script: Script,
    pub law: Law,
    /// Since when the store takes nothing; why it never will again; what waits for it.
    pub down_since_us: Option<u64>,
    pub fatal: Option<String>,
    pub waiting: u64,
    /// Typed, not read.
    pub typed: VecDeque<u8>,
    /// Nothing more will be typed.
    pub keyboard_ended: bool,
    /// Written by the session, not read.
    pub output: VecDeque<u8>,
    /// The session's last process has let go of its terminal.
    pub output_closed: bool,
    pub pty_fails: bool,
    /// How what is typed is read; else line by line.
    pub reading: Option<Reading>,
    /// All who could read its standard input have closed it, where that is no terminal.
    pub inlet_closed: bool,
    /// Bytes that the session takes.
    pub shell_room: usize,
    pub let_go: bool,
    /// Bytes that the screen takes.
    pub screen_room: usize,
    pub screen_gone: bool,
    pub scribe: Thread,
    pub screen: Thread,
    pub recorder_refuses: bool,
    pub signals: Vec<Signal>,
    pub leader_ended: bool,
    pub word: Option<Ended>,
    /// The keeper ends the session when it is told to, so many microseconds later.
    pub keeper_obeys: bool,
    pub ends_at_us: Option<u64>,
    pub off: bool,
    pub revoked: Option<Revoked>,
    pub news: Vec<News>,
    pub letters: Vec<Result<Granted, Refused>>,
    pub ticked_us: u64,
}

impl World {
    /// poll(2): the script goes on, then whatever is ready is told, or the time passes.
    pub fn wait(&mut self, awaited: &mut [Awaited<'_>], patience_us: u64) {
        let steps = Script::steps(self);
        self.work_on();
        let found = self.look(awaited);
        let waited_us = if found > 0 { 1 } else { patience_us };
        self.law.turn(found > 0 || steps, waited_us, self.script.is_over());
        pass(waited_us);
        if found == 0 {
            self.work_on();
            self.look(awaited);
        }
        if self.law.interrupted {
            awaited.iter_mut().for_each(|one| one.found = PollFlags::empty());
        }
    }

    fn look(&self, awaited: &mut [Awaited<'_>]) -> usize {
        for one in awaited.iter_mut().filter(|one| !one.wanted.is_empty()) {
            let ready = self.ready(Source::of(one.fd));
            one.found = ready & (one.wanted | PollFlags::HUP | PollFlags::ERR);
        }
        awaited.iter().filter(|one| !one.found.is_empty()).count()
    }

    fn ready(&self, source: Source) -> PollFlags {
        let flag = |ready: bool, flag| if ready { flag } else { PollFlags::empty() };
        match source {
            Source::Keyboard => {
                let ended = self.keyboard_ended;
                flag(!self.typed.is_empty(), PollFlags::IN)
                    | flag(ended, PollFlags::IN | PollFlags::HUP)
            }
            Source::Pty => {
                let hung = self.output_closed && self.let_go;
                flag(!self.output.is_empty() || hung, PollFlags::IN)
                    | flag(self.shell_room > 0, PollFlags::OUT)
                    | flag(hung, PollFlags::HUP)
            }
            Source::Inlet => {
                flag(self.shell_room > 0, PollFlags::OUT)
                    | flag(self.inlet_closed, PollFlags::OUT | PollFlags::ERR)
            }
            Source::Signals => flag(!self.signals.is_empty(), PollFlags::IN),
            Source::Keeper => flag(self.leader_ended || self.word.is_some(), PollFlags::IN),
            Source::Worker(track) => {
                let thread = if track == Track::Scribe { &self.scribe } else { &self.screen };
                flag(!thread.back.is_empty(), PollFlags::IN)
            }
        }
    }

    /// What goes on by itself: the keeper's work, and after the script whatever the way out says.
    fn work_on(&mut self) {
        if self.ends_at_us.is_some_and(|at| at <= now_us()) && self.word.is_none() {
            self.ends_at_us = None;
            self.word = Some(Ended { how: Ending::Exited(0), killed: 2, survivors: Vec::new() });
        }
        if self.script.is_over() {
            self.work(Track::Scribe);
            if self.script.leave == Leave::Well {
                self.work(Track::Screen);
            }
        }
    }

    /// The keyboard.
    pub fn read_keyboard(&mut self, to: &mut [u8]) -> Typed {
        self.law.reads_key();
        if self.typed.is_empty() {
            return if self.keyboard_ended { Typed::Ended } else { Typed::Nothing };
        }
        let len = self.typed.len().min(to.len());
        for (to, byte) in to.iter_mut().zip(self.typed.drain(..len)) {
            *to = byte;
            self.law.typed.push(byte);
        }
        Typed::Bytes(len)
    }

    /// The session's terminal, unless it fails.
    pub fn pty(&self) -> io::Result<&Self> {
        if self.pty_fails { Err(io::Error::other("no pty")) } else { Ok(self) }
    }

    /// The session's output.
    pub fn read_output(&mut self, to: &mut [u8]) -> io::Result<Read> {
        self.pty()?;
        let len = self.output.len().min(to.len());
        for (to, byte) in to.iter_mut().zip(self.output.drain(..len)) {
            *to = byte;
            self.law.output.push(byte);
        }
        Ok(Read { len, ended: len == 0 && self.output_closed && self.let_go })
    }

    /// The session's input.
    pub fn write_shell(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.law.reaches_shell(bytes);
        if self.output_closed && self.let_go {
            return Ok(bytes.len());
        }
        self.pty()?;
        let len = bytes.len().min(self.shell_room);
        self.shell_room -= len;
        self.law.took(len);
        Ok(len)
    }

    /// The session's input, where that is no terminal.
    pub fn write_inlet(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.law.reaches_shell(bytes);
        if self.inlet_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(self.shell_room);
        self.shell_room -= len;
        self.law.took(len);
        self.law.unread += len as u64;
        Ok(len)
    }

    /// What the screen takes at once.
    pub fn write_screen(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.law.reaches_screen(bytes);
        if self.screen_gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(self.screen_room);
        self.screen_room -= len;
        self.law.drew(bytes, len);
        Ok(len)
    }

    /// A chunk for a thread.
    pub fn offer(&mut self, track: Track, chunk: Vec<u8>) {
        match track {
            Track::Scribe => self.scribe.given.push_back(chunk),
            Track::Screen => {
                self.law.reaches_screen(&chunk);
                self.law.drew(&chunk, chunk.len());
                self.screen.given.push_back(chunk);
            }
        }
        self.law.waits(self.scribe.given.len() + self.scribe.back.len(), self.screen.given.len());
    }

    /// Lets a thread go on with its next chunk.
    pub fn work(&mut self, track: Track) {
        match track {
            Track::Scribe => {
                let Some(chunk) = self.scribe.given.pop_front() else { return };
                let well = !self.scribe.failed && self.accept(Event::Output(&chunk)).is_ok();
                if self.scribe.failed {
                    self.law.refused(&Event::Output(&chunk));
                }
                self.scribe.failed = !well;
                self.scribe.back.push_back((chunk, well));
            }
            Track::Screen => {
                let Some(chunk) = self.screen.given.front() else { return };
                let left = chunk.len() - self.screen.written;
                let len = left.min(self.screen_room);
                self.screen_room -= len;
                self.screen.written += len;
                if len == left || self.screen_gone {
                    self.screen.written = 0;
                    let chunk = self.screen.given.pop_front().unwrap_or_default();
                    self.screen.back.push_back((chunk, !self.screen_gone));
                }
            }
        }
    }

    /// A chunk that came back.
    pub fn done(&mut self, track: Track) -> io::Result<Option<(Vec<u8>, bool)>> {
        // Whoever asks again and again lets time pass.
        pass(1);
        let thread = if track == Track::Scribe { &mut self.scribe } else { &mut self.screen };
        match thread.back.pop_front() {
            None if thread.gone => Err(io::Error::other("a thread of the relay is gone")),
            back => Ok(back),
        }
    }

    /// A chunk that is waited for.
    pub fn wait_for(&mut self, track: Track) -> Option<(Vec<u8>, bool)> {
        let gone = if track == Track::Scribe { self.scribe.gone } else { self.screen.gone };
        if !gone {
            self.work(track);
        }
        self.done(track).ok().flatten()
    }

    /// The recorder.
    pub fn accept(&mut self, event: Event<'_>) -> Result<(), RecordError> {
        if self.recorder_refuses {
            self.law.refused(&event);
            return Err(RecordError::Spool(io::ErrorKind::StorageFull.into()));
        }
        self.law.accepted(&event);
        self.ticked_us = now_us();
        Ok(())
    }

    pub fn tick(&mut self) -> Result<(), RecordError> {
        if self.next_tick_ms() > 0 {
            return Ok(());
        }
        if self.recorder_refuses {
            return Err(RecordError::Spool(io::ErrorKind::StorageFull.into()));
        }
        self.ticked_us = now_us();
        Ok(())
    }

    pub fn next_tick_ms(&self) -> u64 {
        (self.ticked_us + HEARTBEAT_US).saturating_sub(now_us()).div_ceil(1_000)
    }

    /// The keeper is told to end the session.
    pub fn told_to_end(&mut self) -> io::Result<()> {
        self.law.ends();
        if self.keeper_obeys {
            self.ends_at_us = Some(now_us() + 500_000);
        }
        Ok(())
    }

    pub fn keeper_heard(&mut self) -> io::Result<Option<Word>> {
        if std::mem::take(&mut self.leader_ended) {
            return Ok(Some(Word::LeaderEnded));
        }
        let ended = self.word.take();
        self.law.ended |= ended.is_some();
        Ok(ended.map(Word::Ended))
    }

    pub fn signals_heard(&mut self) -> Vec<Signal> {
        self.law.hurried |= self
            .signals
            .iter()
            .any(|signal| !matches!(signal, Signal::Resized | Signal::Continued));
        std::mem::take(&mut self.signals)
    }

    /// The store goes away, or comes back.
    pub fn store(&mut self, down: Option<Duration>, waiting: u64) {
        self.down_since_us = down.map(|since| {
            now_us().saturating_sub(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
        });
        self.waiting = waiting;
    }

    /// For how long it has been away.
    pub fn store_down(&self) -> Option<Duration> {
        self.down_since_us.map(|since_us| Duration::from_micros(now_us().saturating_sub(since_us)))
    }

    /// Somebody has something to tell.
    pub fn tell(&mut self, bytes: u64) {
        let line = Some(format!("{OURS}something was said {bytes} times"));
        self.news.push(News { notice: Notice::Redacted { bytes: 0, by: None }, line });
    }
}

pub fn now_us() -> u64 {
    NOW_US.load(Ordering::Relaxed)
}

/// Lets time pass.
pub fn pass(us: u64) {
    NOW_US.fetch_add(us, Ordering::Relaxed);
}

pub const START_US: u64 = 1_000_000_000;
/// How each line of ours begins.
pub const OURS: &str = "bg-shell: ";
const HEARTBEAT_US: u64 = 10_000_000;
