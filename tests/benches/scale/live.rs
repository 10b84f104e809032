//! One session from its genesis to its seal, driven as the relay drives it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bg_recorder::clock::SystemClock;
use bg_recorder::codec::Header;
use bg_recorder::event::Event;
use bg_recorder::genesis::Limits;
use bg_recorder::record::{Recorder, Setup};
use bg_recorder::session::SessionId;
use serde_json::{Map, Value};

use crate::load::{Kind, Next, log};
use crate::world::World;

/// What is known of a session that has ended.
pub struct Lived {
    pub id: SessionId,
    pub kind: Kind,
    pub prefix: String,
    /// When each frame's event happened, before it was accepted.
    pub frames: Vec<Instant>,
    /// Bytes given to the recorder.
    pub plain: u64,
    /// How long `Recorder::begin` took: to the stored genesis.
    pub begin: Duration,
    /// How long `Recorder::finish` took: to the stored seal.
    pub finish: Duration,
    /// How long it lived between the two.
    pub lived: Duration,
    /// The longest that one event took to be accepted.
    pub accept_max: Duration,
}

/// The recorder, and when what happened.
struct Driven {
    recorder: Recorder,
    lived: Lived,
}

impl Driven {
    fn accept(&mut self, event: Event<'_>, len: usize) {
        let at = Instant::now();
        self.recorder.accept(event).expect("an accepted event");
        self.lived.accept_max = self.lived.accept_max.max(at.elapsed());
        self.lived.frames.push(at);
        self.lived.plain += len as u64;
    }

    fn happen(&mut self, n: usize, next: &Next, line: &mut u64) {
        match next {
            Next::Key(_) => {
                self.accept(Event::Input(b"x"), 1);
                self.accept(Event::Output(b"x"), 1);
            }
            Next::Command(_) => {
                self.accept(Event::Input(b"\r"), 1);
                self.accept(Event::Output(&log(n, line, 1_024)), 1_024);
            }
            Next::Chunk(_) => self.accept(Event::Output(&log(n, line, FLOOD_CHUNK)), FLOOD_CHUNK),
            Next::Nothing => {}
        }
    }
}

/// Lives for so long.
pub fn live(world: &Arc<World>, n: usize, kind: Kind, broker: usize, long: Duration) -> Lived {
    let mut driven = begin(world, kind, broker);
    let began = Instant::now();
    let mut last = Instant::now();
    let mut events = 0;
    let mut line = 0;
    while began.elapsed() < long {
        let next = kind.next(events);
        let due = match &next {
            Next::Key(after) | Next::Command(after) | Next::Chunk(after) => last + *after,
            Next::Nothing => began + long,
        };
        let tick = Instant::now() + Duration::from_millis(driven.recorder.next_tick_ms());
        let wake = due.min(tick).min(began + long);
        thread::sleep(wake.saturating_duration_since(Instant::now()));
        driven.recorder.tick().expect("a tick");
        if Instant::now() >= due && due < began + long {
            driven.happen(n, &next, &mut line);
            events += 1;
            last = due;
        }
    }
    driven.lived.lived = began.elapsed();
    let ended = Instant::now();
    let closed = driven.recorder.finish(Map::new(), PATIENCE).expect("a closed tape");
    assert_eq!(closed.progress.waiting, 0, "{:?}", closed.progress);
    driven.lived.finish = ended.elapsed();
    driven.lived
}

fn begin(world: &Arc<World>, kind: Kind, broker: usize) -> Driven {
    let id = SessionId::mint();
    let began = Instant::now();
    let state = world.state.join(format!("broker-{broker}"));
    let cast = Header {
        version: 2,
        width: 80,
        height: 24,
        timestamp: 0,
        title: None,
        command: None,
        env: Value::Null,
    };
    let recorder = Recorder::begin(Setup {
        session: id,
        about: Map::new(),
        cast,
        host_name: format!("broker-{broker}"),
        spool: state.join("spool"),
        state,
        store: Arc::clone(&world.store) as _,
        keys: world.keys(kind),
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
        begins: bg_recorder::record::Begins::Stored,
    })
    .expect("a stored genesis");
    let prefix = id.prefix(recorder.created());
    let lived = Lived {
        id,
        kind,
        prefix,
        // Frame 0 is the asciicast header.
        frames: vec![began],
        plain: 0,
        begin: began.elapsed(),
        finish: Duration::ZERO,
        lived: Duration::ZERO,
        accept_max: Duration::ZERO,
    };
    Driven { recorder, lived }
}

/// 20 of them a second are 1 MB/s.
const FLOOD_CHUNK: usize = 52_429;
const PATIENCE: Duration = Duration::from_secs(120);
