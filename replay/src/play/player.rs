//! `bg-replay play`: a tape in real time, with keys.

use std::io::{IsTerminal as _, Stdout, Write, stdin};
use std::time::{Duration, Instant};

use bg_cli::answer::recorded;
use bg_cli::say::say;

use crate::evidence::admitted::Admitted;
use crate::evidence::glance::{Glance, human_duration};
use crate::failure::Failure;
use crate::play::console::{Console, Keyboard, terminal_size};
use crate::play::keys::Key;
use crate::play::pace::Pace;
use crate::play::reel::{Reel, first_after, last_before};
use crate::play::stage::{Stage, Trust};
use crate::screen::Size;

/// How to play.
#[derive(Debug)]
pub struct Manner {
    /// So many times as fast as it was; finite and above 0.
    pub speed: f64,
    /// No pause is longer than this.
    pub idle_us: Option<u64>,
    /// Begin here.
    pub from_us: u64,
    /// What may reach the terminal.
    pub trust: Trust,
}

/// How playing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// At the tape's end, or by key.
    Well,
    /// By a signal, which the terminal is now ready for.
    Signal(i32),
}

/// Plays a tape to standard output.
///
/// # Errors
/// When it does not open, or nobody looks.
pub fn play(vault: &Admitted<'_>, manner: &Manner) -> Result<Played, Failure> {
    let reel = Reel::begin(vault)?;
    announce(vault);
    if !recorded().is_terminal() {
        return Player::new(vault, manner, reel, Stage::bare(recorded())).run(None);
    }
    // A terminal that does not know its size is taken for the smallest that everybody has.
    let size = terminal_size().unwrap_or(Size { cols: 80, rows: 24 });
    let unusable = |e| Failure::new("cannot use this terminal").because(e);
    let screen = Size::of(reel.header());
    if !screen.fits_in(size) {
        let cols = screen.cols;
        let rows = screen.rows;
        say!(
            "bg-replay: the recording is {cols}x{rows}, larger than this terminal: it is shown cut, following the cursor"
        );
    }
    // Where nothing reads keys, a terminal must yet come out of it as it went in.
    let keyboard = if stdin().is_terminal() { Keyboard::Raw } else { Keyboard::None };
    let console = Console::open(keyboard).map_err(unusable)?;
    let stage = Stage::on_terminal(recorded(), size, reel.header(), manner.trust)?;
    Player::new(vault, manner, reel, stage).run(Some(console))
}

/// Says what is about to be played.
fn announce(vault: &Admitted<'_>) {
    let report = vault.report();
    let glance = Glance::of(vault.tape());
    let session = report.session.map_or(String::new(), |id| id.to_string());
    let word = |name| glance.about(name).unwrap_or("unknown".to_owned());
    let started = glance.started().map_or(String::new(), |at| at.to_string());
    let length = glance.duration_us.map_or("length unknown".to_owned(), human_duration);
    let user = word("user");
    let reason = word("reason");
    let verdict = report.verdict;
    say!(
        "bg-replay: session {session}, {user}, reason: {reason}, started {started}, {length}, {verdict}"
    );
    vault.warn();
}

struct Player<'v, W> {
    vault: &'v Admitted<'v>,
    manner: &'v Manner,
    reel: Reel<'v>,
    stage: Stage<W>,
    pace: Pace,
    last_us: u64,
    ended: Option<Played>,
}

impl<'v> Player<'v, Stdout> {
    fn new(
        vault: &'v Admitted<'v>,
        manner: &'v Manner,
        reel: Reel<'v>,
        stage: Stage<Stdout>,
    ) -> Self {
        let pace = Pace::new(manner.speed, Instant::now());
        Self { vault, manner, reel, stage, pace, last_us: 0, ended: None }
    }
}

impl<W: Write> Player<'_, W> {
    fn run(mut self, mut console: Option<Console>) -> Result<Played, Failure> {
        if self.manner.from_us > 0 {
            self.seek(self.manner.from_us, console.as_mut())?;
        }
        let ended = self.roll(console.as_mut())?;
        self.stage.finish(Instant::now())?;
        drop(console);
        Ok(ended)
    }

    fn roll(&mut self, mut console: Option<&mut Console>) -> Result<Played, Failure> {
        loop {
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            let now = Instant::now();
            self.show_due(now)?;
            self.stage.paint(now)?;
            let Some(next_us) = self.reel.next_us() else { return Ok(Played::Well) };
            let now = Instant::now();
            let wait =
                [self.pace.until(next_us, now), self.stage.due(now)].into_iter().flatten().min();
            let Some(console) = console.as_deref_mut() else {
                std::thread::sleep(wait.unwrap_or_default());
                continue;
            };
            let keys = self.listen(console, wait)?;
            if console.resized()
                && let Some(size) = terminal_size()
            {
                self.stage.fit(size)?;
            }
            for key in keys {
                self.press(key, console)?;
            }
        }
    }

    /// Waits for keys; takes note of what asks for the end.
    fn listen(
        &mut self,
        console: &mut Console,
        wait: Option<Duration>,
    ) -> Result<Vec<Key>, Failure> {
        let keys = console.wait(wait).map_err(|e| Failure::new("cannot read keys").because(e))?;
        if let Some(signal) = console.ended() {
            self.ended = Some(Played::Signal(signal));
        } else if keys.contains(&Key::Quit) {
            self.ended = Some(Played::Well);
        }
        Ok(keys)
    }

    /// Shows what is due; after a while it lets keys have their turn.
    fn show_due(&mut self, now: Instant) -> Result<(), Failure> {
        while !self.pace.paused() && now.elapsed() < TURN {
            self.skip_idle(now);
            let Some(event) = self.reel.take_until(self.pace.at_us(now))? else { break };
            self.last_us = event.line.time_us;
            self.stage.show(&event)?;
        }
        Ok(())
    }

    /// Goes ahead where nothing happens for longer than the limit.
    fn skip_idle(&mut self, now: Instant) {
        let (Some(idle_us), Some(next_us)) = (self.manner.idle_us, self.reel.next_us()) else {
            return;
        };
        let from_us = next_us.saturating_sub(idle_us);
        if from_us > self.last_us && from_us > self.pace.at_us(now) {
            self.pace.jump(from_us, now);
        }
    }

    fn press(&mut self, key: Key, console: &mut Console) -> Result<(), Failure> {
        let now = Instant::now();
        let at_us = self.pace.at_us(now);
        let target = match key {
            Key::Back => Some(at_us.saturating_sub(SKIP_US)),
            Key::Forward => Some(at_us.saturating_add(SKIP_US)),
            Key::PreviousMarker => last_before(self.vault, 'm', at_us.saturating_sub(SLACK_US))?,
            Key::NextMarker => first_after(self.vault, 'm', at_us)?,
            Key::NextInput => first_after(self.vault, 'i', at_us)?,
            Key::Pause => {
                self.pace.toggle(now);
                None
            }
            Key::Hold => {
                self.pace.pause(now);
                None
            }
            Key::Resume => {
                self.pace.resume(now);
                None
            }
            Key::Suspend => return self.suspend(console),
            Key::Faster => {
                self.pace.scale(2.0, now);
                None
            }
            Key::Slower => {
                self.pace.scale(0.5, now);
                None
            }
            Key::Step if self.pace.paused() => return self.step(now),
            Key::Step | Key::Quit => None,
        };
        if let Some(target_us) = target {
            self.seek(target_us, Some(console))?;
        }
        Ok(())
    }

    /// Gives the terminal back and stops, as any program does at Ctrl-Z; goes on where it was.
    fn suspend(&mut self, console: &mut Console) -> Result<(), Failure> {
        let now = Instant::now();
        let paused = self.pace.paused();
        self.pace.pause(now);
        self.stage.finish(now)?;
        console.suspend().map_err(|e| Failure::new("cannot stop").because(e))?;
        if let Some(size) = terminal_size() {
            self.stage.fit(size)?;
        }
        if !paused {
            self.pace.resume(Instant::now());
        }
        self.stage.redraw()
    }

    /// Shows the next output and stays there.
    fn step(&mut self, now: Instant) -> Result<(), Failure> {
        while let Some(event) = self.reel.take()? {
            self.last_us = event.line.time_us;
            self.pace.jump(self.last_us, now);
            self.stage.show(&event)?;
            if event.line.code == 'o' && !event.bytes().is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Goes to a time: forward from here, or from the start. What asks for the end is heard on the way.
    fn seek(&mut self, target_us: u64, mut console: Option<&mut Console>) -> Result<(), Failure> {
        if target_us < self.last_us {
            self.reel = Reel::begin(self.vault)?;
            self.stage.rewind(self.reel.header())?;
        }
        self.last_us = target_us;
        let mut turn = Instant::now();
        while let Some(event) = self.reel.take_until(target_us)? {
            self.stage.feed(&event);
            if turn.elapsed() < TURN {
                continue;
            }
            if let Some(console) = console.as_deref_mut() {
                self.listen(console, Some(Duration::ZERO))?;
            }
            if self.ended.is_some() {
                return Ok(());
            }
            turn = Instant::now();
        }
        self.pace.jump(target_us, Instant::now());
        self.stage.redraw()
    }
}

const SKIP_US: u64 = 5_000_000;
/// While playing, time goes on behind a marker just reached: the key must still find the one before.
const SLACK_US: u64 = 1_000_000;
/// How long due events are shown before keys are looked at.
const TURN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::admitted::Extent;
    use crate::sample::Sample;
    use bg_recorder::event::Event;

    fn played(manner: &Manner, steps: impl FnOnce(&mut Player<'_, &mut Vec<u8>>)) -> String {
        let sample = Sample::default();
        let events = [
            (Event::Output(b"one"), 0),
            (Event::Marker("here"), 30),
            (Event::Output(b"two\xff"), 30),
            (Event::Output(b"three"), 700),
        ];
        let id = sample.record_events(&events);
        let auditor = sample.auditor();
        let place = sample.catalog().find(&id.to_string()).unwrap();
        let (tape, report) = place.judged(&auditor.trusted().unwrap()).unwrap();
        let vault =
            Admitted::admit((&tape, report), |tape| auditor.opener(tape), Extent::Whole).unwrap();
        let mut out = Vec::new();
        let pace = Pace::new(manner.speed, Instant::now());
        let reel = Reel::begin(&vault).unwrap();
        let stage = Stage::bare(&mut out);
        let mut player =
            Player { vault: &vault, manner, reel, stage, pace, last_us: 0, ended: None };
        steps(&mut player);
        assert_eq!(player.run(None).unwrap(), Played::Well);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn manner(speed: f64) -> Manner {
        Manner { speed, idle_us: None, from_us: 0, trust: Trust::Bytes }
    }

    #[test]
    fn all_bytes_are_played_in_time() {
        assert_eq!(played(&manner(1e9), |_| {}), "onetwo\u{fffd}three");
        let mut began = Instant::now();
        played(&manner(1.0), |_| began = Instant::now());
        // What the tape's last event is away from its first: no machine is quicker.
        assert!(began.elapsed() >= Duration::from_millis(700));
    }

    #[test]
    fn the_idle_limit_cuts_pauses_short() {
        let began = Instant::now();
        let mut waited = Duration::MAX;
        played(&Manner { idle_us: Some(0), ..manner(0.000_1) }, |_| waited = began.elapsed());
        // At this speed the pauses would take two hours.
        assert!(began.elapsed() - waited < Duration::from_secs(60));
    }

    #[test]
    fn seeking_back_reads_from_the_start() {
        let text = played(&manner(1e9), |player| {
            player.pace.toggle(Instant::now());
            for _ in 0..2 {
                player.step(Instant::now()).unwrap();
            }
            let marker = last_before(player.vault, 'm', player.last_us).unwrap().unwrap();
            player.seek(marker, None).unwrap();
            assert_eq!(first_after(player.vault, 'm', marker).unwrap(), None);
            player.pace.toggle(Instant::now());
        });
        assert_eq!(text, "onetwo\u{fffd}two\u{fffd}three");
    }
}
