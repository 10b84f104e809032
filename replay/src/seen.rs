//! `bg-replay seen`: lines that were typed and secrets that appeared, from the tape itself. A recorder that was killed
//! has left no word of them.

use bg_cli::answer::Answer;
use bg_cli::say::say;
use bg_recorder::event::Notice;
use bg_recorder::genesis::Genesis;
use bg_recorder::reader::TapeEvent;
use bg_recorder::stamp::Stamp;
use bg_relay::question::Question;
use bg_relay::screen::ScreenState;
use bg_relay::tap::{Tap, Taped};
use serde_json::Value;

use crate::evidence::admitted::{Admitted, unread};
use crate::evidence::glance::human_duration;
use crate::failure::Failure;
use crate::list::Shape;

/// Tells what is heard of a tape.
///
/// # Errors
/// When it does not open.
pub fn seen(vault: &Admitted<'_>, shape: Shape, out: &mut Answer<'_>) -> Result<(), Failure> {
    let taped = taped(vault)?;
    if shape == Shape::Json {
        out.json(&taped);
        return Ok(());
    }
    for typed in &taped.seen.commands {
        let partial = if typed.partial { "  (partial)" } else { "" };
        out.line(&format!("{}  {}{partial}", typed.at, typed.line));
    }
    for exposure in &taped.seen.exposures {
        let shown = &exposure.shown;
        say!("bg-replay: {}: a secret could be seen: {shown}", exposure.at);
    }
    if let Some(last) = taped.last {
        let lasted = human_duration(taped.lasted_ms.saturating_mul(1_000));
        say!("bg-replay: it lasted {lasted}; its last event was at {last}");
    }
    Ok(())
}

fn taped(vault: &Admitted<'_>) -> Result<Taped, Failure> {
    let mut events = vault.events()?;
    let mut listener = Listener::to(events.genesis());
    while let Some(event) = events.event().map_err(unread)? {
        listener.hear(&event);
    }
    let genesis = events.genesis();
    Ok(Taped {
        session: genesis.session,
        last: listener.last,
        lasted_ms: listener.last.map_or(0, |last| last.0.saturating_sub(genesis.created.0) / 1_000),
        holes: listener.holes,
        seen: listener.tap.finish(),
    })
}

/// Hears a tape as its recorder heard the session.
struct Listener {
    created: Stamp,
    tap: Tap,
    screen: ScreenState,
    question: Question,
    /// Whether input came from a file or a pipe, and nobody typed it.
    is_stream: bool,
    /// Where secrets are recorded, too: a line that nothing echoes is one, and is no command.
    unechoed: Option<Unechoed>,
    last: Option<Stamp>,
    holes: u64,
}

/// What was typed since the last line's end, and whether the screen answered.
#[derive(Default)]
struct Unechoed {
    typed: Vec<u8>,
    echoed: bool,
}

impl Listener {
    fn to(genesis: &Genesis) -> Self {
        let says =
            |name: &str, word: &str| genesis.about.get(name).and_then(Value::as_str) == Some(word);
        let redacts = says("secrets", "redact");
        Self {
            created: genesis.created,
            tap: Tap::default(),
            screen: ScreenState::default(),
            question: Question::default(),
            is_stream: says("input", "stream"),
            unechoed: (!redacts).then(Unechoed::default),
            last: None,
            holes: 0,
        }
    }

    fn hear(&mut self, event: &TapeEvent) {
        if event.missing().is_some() {
            self.holes += 1;
            return;
        }
        let at = Stamp(self.created.0.saturating_add(event.line.time_us));
        self.last = Some(at);
        match event.line.code {
            'o' => self.output(event.bytes(), at),
            'i' => self.input(event.bytes(), at),
            'N' => self.notice(&event.line.data),
            _ => {}
        }
    }

    fn output(&mut self, bytes: &[u8], at: Stamp) {
        self.screen.feed(bytes);
        self.question.shown(bytes);
        self.tap.shown(bytes, at);
        if let Some(unechoed) = &mut self.unechoed {
            unechoed.echoed = true;
        }
    }

    fn input(&mut self, bytes: &[u8], at: Stamp) {
        if self.is_stream {
            return self.tap.fed(bytes, at);
        }
        let answer = self.question.answered(bytes).map_or(0, |(hidden, _)| hidden);
        let elsewhere = if self.screen.full_screen() { bytes.len() } else { answer };
        let (elsewhere, line) = bytes.split_at(elsewhere.min(bytes.len()));
        if !elsewhere.is_empty() {
            self.tap.typed_elsewhere(elsewhere.len());
        }
        let Some(unechoed) = &mut self.unechoed else { return self.tap.typed(line, at) };
        for byte in line {
            unechoed.typed.push(*byte);
            if matches!(byte, b'\r' | b'\n') {
                let Unechoed { typed, echoed } = std::mem::take(unechoed);
                if echoed {
                    self.tap.typed(&typed, at);
                } else {
                    self.tap.typed_elsewhere(typed.len());
                }
            }
        }
    }

    fn notice(&mut self, text: &str) {
        if let Ok(Notice::Redacted { bytes, .. }) = serde_json::from_str(text) {
            self.tap.typed_elsewhere(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }
}
