//! The input: how the session begins, what happens in which turn, how it is left.
//!
//! Four bytes begin it. Then each two are a step: what happens (modulo their count; with the high bit, the next step
//! happens before the relay looks), and how much.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bg_relay::deadline::Deadline;
use bg_relay::ladder::{Ladder, Policy};
use bg_relay::outside::{Granted, Refused, Revoked};
use bg_relay::session::{Ended, Ending, Reading, Signal};
use bg_relay::tape::Lane;
use bg_relay::terminal::{Medium, Terminal};
use bg_relay::{Cause, Outcome, Relay, Secrets};

use crate::kernel::Hands;
use crate::law::Law;
use crate::sides::{Moves, Side, Worker, side};
use crate::world::{NOW_US, OURS, START_US, Track, World, now_us, pass, world};

/// What is still to happen.
#[derive(Default)]
pub struct Script {
    steps: Vec<[u8; 2]>,
    at: usize,
    left: bool,
    pub leave: Leave,
    /// Bytes that came from the session so far: each says where it stands.
    written: u32,
}

/// What happens when nothing more does.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The leader ends, and the screen takes everything.
    #[default]
    Well,
    /// Somebody wants an end, the screen stands still, and the session's processes end.
    Killed,
    /// The same, but they do not.
    Stuck,
    /// Nothing, until the time is over.
    Late,
}

impl Script {
    /// Returns whether all of it has happened.
    pub fn is_over(&self) -> bool {
        self.left
    }

    /// Lets the next steps happen. Returns whether there were any.
    pub fn steps(world: &mut World) -> bool {
        if world.script.left {
            return false;
        }
        while let Some([what, much]) = world.script.steps.get(world.script.at).copied() {
            world.script.at += 1;
            step(world, what & 0x7f, much);
            if what & 0x80 == 0 {
                return true;
            }
        }
        world.script.left = true;
        leave(world);
        true
    }
}

fn step(world: &mut World, what: u8, much: u8) {
    world.law.interrupted = false;
    let many = usize::from(much);
    match what % 32 {
        0 => world.typed.extend((0..=much).map(|n| b'a' + n % 26)),
        1 => world.typed.extend((0..=much).map(|n| if n % 8 == 7 { b'\r' } else { b'*' + n % 26 })),
        2 | 3 => write(world, many),
        4 => write(world, many * 300),
        5 => write_text(world, TEXTS[many % TEXTS.len()]),
        6 => world.shell_room += many * 8,
        7 => world.screen_room += many * 512,
        8 | 9 => world.work(Track::Scribe),
        10 => world.work(Track::Screen),
        11 => world.signals.push(Signal::Resized),
        12 if much > 200 => world.signals.push(Signal::HungUp),
        12 if much > 150 => world.signals.push(Signal::Terminated("SIGTERM")),
        12 => world.law.interrupted = true,
        13 => pass(u64::from(much) * 10_000),
        14 => pass(u64::from(much) * 1_000_000),
        15 => world.keyboard_ended = true,
        16 => world.output_closed = true,
        17 => {
            world.reading = Some(match much / 64 {
                0 => Reading::Lines,
                1 => Reading::Secret,
                2 => Reading::Inner,
                _ => Reading::Keys,
            });
        }
        18 if much > 128 => world.law.unread = 0,
        18 if much > 120 => world.inlet_closed = true,
        19 => world.store(
            (much > 0).then(|| Duration::from_secs(u64::from(much % 32))),
            u64::from(much) * 512,
        ),
        20 => world.store(None, u64::from(much) * 512),
        21 if much > 250 => world.fatal = Some("fork".into()),
        21 => world.letters.push(if much % 2 == 0 {
            Ok(Granted { by: "alice@ops".into(), for_s: u64::from(much), signed: None })
        } else {
            Err(Refused("it is no extension".into()))
        }),
        22 => world.tell(u64::from(much)),
        23 if much > 128 => {
            world.revoked = Some(Revoked { by: "bob@ops".into(), reason: "no".into() })
        }
        24 => world.recorder_refuses = much > 64,
        25 if much > 128 => world.screen_gone = true,
        26 if much > 200 => world.pty_fails = true,
        27 => world.keeper_obeys = much > 64,
        28 if much > 128 => {
            world.word = Some(Ended {
                how: Ending::Exited(i32::from(much)),
                killed: 0,
                survivors: Vec::new(),
            })
        }
        28 if much > 64 => {
            world.word = Some(Ended { how: Ending::KeeperLost, killed: 0, survivors: Vec::new() })
        }
        29 if much > 220 => world.scribe.gone = true,
        29 if much < 64 => world.leader_ended = true,
        30 => {
            world.shell_room = usize::MAX / 2;
            world.screen_room = usize::MAX / 2;
        }
        31 => world.signals.push(Signal::Continued),
        _ => {}
    }
}

/// The session writes numbers: each says where it stands.
fn write(world: &mut World, len: usize) {
    if world.output_closed || world.output.len() > OUTPUT_MAX {
        return;
    }
    while world.output.len() < OUTPUT_MAX && world.output.len() < len {
        let number = format!("{:06} ", world.script.written);
        world.script.written += 1;
        world.output.extend(number.bytes());
    }
}

/// The session writes what means something to a terminal, or to the report.
fn write_text(world: &mut World, text: &str) {
    if !world.output_closed {
        world.output.extend(text.bytes());
    }
}

fn leave(world: &mut World) {
    let left = world.script.leave;
    world.law.interrupted = false;
    world.recorder_refuses &= left == Leave::Stuck;
    if left == Leave::Well {
        world.shell_room = usize::MAX / 2;
        world.screen_room = usize::MAX / 2;
        world.output_closed = true;
        world.law.unread = 0;
        world.word.get_or_insert(Ended {
            how: Ending::Exited(0),
            killed: 0,
            survivors: Vec::new(),
        });
    }
    if matches!(left, Leave::Killed | Leave::Stuck) {
        world.signals.push(Signal::Terminated("SIGTERM"));
    }
    world.keeper_obeys = left != Leave::Stuck;
}

/// Plays one session, and judges it.
pub fn play(bytes: &[u8]) {
    let [how, limit, policy, way, steps @ ..] = bytes else { return };
    NOW_US.store(START_US, Ordering::Relaxed);
    let leave = [Leave::Well, Leave::Killed, Leave::Stuck, Leave::Late][usize::from(*way % 4)];
    let steps = steps.chunks_exact(2).take(STEPS_MAX).map(|step| [step[0], step[1]]).collect();
    world(|world| {
        *world = World {
            script: Script { steps, leave, ..Script::default() },
            law: Law::default(),
            shell_room: if how & 4 == 0 { usize::MAX / 2 } else { 0 },
            screen_room: if how & 8 == 0 { usize::MAX / 2 } else { 0 },
            keeper_obeys: true,
            ..World::default()
        };
    });
    let limit = Duration::from_secs(1 + u64::from(*limit) * 2);
    let outcome = run(limit, *policy, *how);
    judge(&outcome, now_us() >= START_US + limit.as_micros() as u64);
}

fn run(limit: Duration, policy: u8, how: u8) -> Outcome {
    let policy = Policy {
        countdown: Duration::from_secs(u64::from(policy)),
        spool_max: 65_536,
        ask_at_percent: u64::from(policy % 101),
    };
    let kind = |bit| if how & bit == 0 { Medium::Terminal } else { Medium::Stream };
    let terminal = Terminal {
        keyboard: Box::new(side::Keyboard),
        screen: Box::new(Side),
        slow: Lane::new(Worker::default()),
        input: kind(1),
        output: kind(2),
    };
    let relay = Relay {
        kernel: &Hands,
        clock: &Hands,
        tape: &Side,
        scribe: Lane::new(Worker::default()),
        store: &Side,
        keys: &Side,
        terminal,
        pty: Box::new(side::Pty),
        inlet: (kind(1) == Medium::Stream).then(|| Box::new(side::Inlet) as _),
        contained: Box::new(side::Keeper),
        signals: Box::new(side::Signals),
        deadline: Deadline::movable(now_us(), limit, limit * 2),
        ladder: Ladder::new(policy),
        letterbox: Box::new(Side),
        term: Box::new(Moves::default()),
        herald: &Side,
        switch: &Side,
        title: (how & 32 != 0).then(|| format!("{OURS}a title")),
        secrets: if how & 16 == 0 { Secrets::Redact } else { Secrets::Record },
    };
    relay.run()
}

fn judge(outcome: &Outcome, late: bool) {
    world(|world| {
        world.law.hurried |= late;
        let waits = world.scribe.given.len() + world.scribe.back.len();
        assert!(waits == 0 || world.scribe.gone, "the scribe still holds something");
        world.law.verdict(outcome, world.scribe.gone);
        if matches!(outcome.cause, Cause::Exit) && !world.screen_gone && !world.scribe.gone {
            assert!(world.off, "credentials are handed out after the end");
            world.law.all_shown();
        }
    });
}

const STEPS_MAX: usize = 300;
const OUTPUT_MAX: usize = 200_000;
const TEXTS: [&str; 8] = [
    "\x1b[1;31m",
    "\x1b]0;a title",
    "\x07",
    "\x1b[?1049h",
    "\x1b[?1049l",
    "\u{20ac}",
    "AKIAIOSFODNN7EXAMPLE\r\nPassword: ",
    "\x1b",
];
