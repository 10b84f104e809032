//! The kill campaign: a session dies at a random moment under load, again and again: its recorder alone, its whole
//! process group, or the machine with what the disk had not taken yet. `tests/kill-campaign` runs a long one; the
//! suite runs a short one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::driver::{Driver, without_ours};
use crate::support::second::Second;
use crate::support::wait::within;
use crate::support::world::{World, stderr};
use blow::Blow;
use dice::Dice;

mod blow;
mod dice;

#[test]
fn a_kill_at_any_moment_loses_nothing_and_leaves_nothing() {
    let kills = std::env::var("BG_TESTS_KILLS").map_or(200, |kills| kills.parse().unwrap());
    let tally = campaign(kills);
    println!("{tally}");
    assert!(tally.is_clean() && tally.kills > kills / 2, "{tally}");
}

/// What a campaign found.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    kills: u64,
    groups: u64,
    cuts: u64,
    lost_bytes: u64,
    declared_bytes: u64,
    survivors: u64,
    unverified: u64,
    miscounted: u64,
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            rounds: self.rounds + other.rounds,
            kills: self.kills + other.kills,
            groups: self.groups + other.groups,
            cuts: self.cuts + other.cuts,
            lost_bytes: self.lost_bytes + other.lost_bytes,
            declared_bytes: self.declared_bytes + other.declared_bytes,
            survivors: self.survivors + other.survivors,
            unverified: self.unverified + other.unverified,
            miscounted: self.miscounted + other.miscounted,
        }
    }

    fn is_clean(&self) -> bool {
        self.lost_bytes + self.survivors + self.unverified + self.miscounted == 0
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "rounds {}, kills {} (process groups {}, writes cut {}), undeclared lost bytes {}, bytes cut and declared {}, surviving children {}, tapes that do not verify {}, holes or doubles in the host's count {}",
            self.rounds,
            self.kills,
            self.groups,
            self.cuts,
            self.lost_bytes,
            self.declared_bytes,
            self.survivors,
            self.unverified,
            self.miscounted
        )
    }
}

/// Two sessions at a time: much of a round is waiting.
fn campaign(rounds: u64) -> Tally {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let seed = u64::try_from(seed).unwrap();
    let shares = [rounds / 2, rounds - rounds / 2];
    std::thread::scope(|scope| {
        let hands: Vec<_> = (seed..)
            .zip(shares)
            .map(|(seed, rounds)| scope.spawn(move || share(rounds, seed)))
            .collect();
        hands.into_iter().map(|hand| hand.join().unwrap()).fold(Tally::default(), Tally::plus)
    })
}

/// Each world is small: what a round costs must not grow with the rounds before it.
fn share(rounds: u64, seed: u64) -> Tally {
    let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut tally = Tally::default();
    while tally.rounds < rounds {
        in_one_world(rounds, &mut dice, &mut tally);
    }
    tally
}

fn in_one_world(rounds: u64, dice: &mut Dice, tally: &mut Tally) {
    let world = World::new();
    assert!(world.record("true").status.success());
    let here = (rounds - tally.rounds).min(WORLD_ROUNDS);
    for _ in 0..here {
        let number = usize::try_from(tally.rounds).unwrap();
        let load = Load::ALL[number % Load::ALL.len()];
        round(&world, load, Blow::ALL[number % Blow::ALL.len()], dice, tally);
        tally.rounds += 1;
        // A spool that cannot be recovered stays: the next rounds begin elsewhere, or each would find it.
        if !world.spools().is_empty() {
            break;
        }
    }
    let mut places: Vec<u64> = world
        .tapes()
        .iter()
        .map(|tape| tape.note("genesis")["host"]["seq"].as_u64().unwrap())
        .collect();
    places.sort_unstable();
    let second = Second::verdicts(&world.practice().trust_key(), &world.tapes());
    tally.unverified += second.iter().filter(|verdict| !is_whole(verdict)).count() as u64;
    tally.unverified += (world.tapes().len() - second.len()) as u64;
    tally.miscounted +=
        (1..).zip(&places).filter(|(expected, place)| expected != *place).count() as u64;
}

/// What the session is doing when its recorder dies.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// It has just been asked for: there may be no tape yet.
    Starting,
    /// Somebody types, and a program keeps what it is sent.
    Typing,
    /// A program writes lines as fast as it can.
    Flooding,
    /// A program writes what is no text as fast as it can.
    Noise,
    /// A short command may just be ending, and its tape being sealed.
    Ending,
}

impl Load {
    const ALL: [Self; 5] =
        [Self::Starting, Self::Typing, Self::Flooding, Self::Noise, Self::Ending];

    fn script(self) -> String {
        let load = match self {
            Self::Starting => "echo ready; exec sleep 1000",
            // What is typed before the terminal is raw is not what the program gets.
            Self::Typing => "stty raw -echo; echo ready; exec dd bs=1 of=$HOME/got 2>/dev/null",
            Self::Flooding => "echo ready; n=0; while :; do n=$((n+1)); echo line $n of many; done",
            Self::Noise => "stty raw; echo ready; exec cat /dev/urandom",
            Self::Ending => "echo ready; exit 0",
        };
        format!(
            "setsid nohup sleep 1000 >/dev/null 2>&1 & (sleep 1001 & exec true) & trap '' HUP; {load}"
        )
    }
}

fn round(world: &World, load: Load, blow: Blow, dice: &mut Dice, tally: &mut Tally) {
    let got = world.home().join("got");
    std::fs::write(&got, "").unwrap();
    let before = world.tapes().len();
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", &load.script()]);
    let mut driver = Driver::spawn(shell);
    reach(load, &mut driver, dice);
    blow.strike(&driver);
    let status = driver.wait();
    // A session that was ending may have been quicker than the kill.
    let killed = status == 128 + 9;
    tally.kills += u64::from(killed);
    tally.groups += u64::from(killed && blow == Blow::Group);
    if !within(Duration::from_secs(10), || world.processes().is_empty()) {
        tally.survivors += world.processes().len() as u64;
        println!("{load:?} {blow:?}: survivors {:?}", world.processes());
    }
    let cut = if blow == Blow::Cut { blow::cut(&world.spools(), dice) } else { None };
    tally.cuts += u64::from(cut.is_some());
    let recovered = world.recover();
    let tapes = world.tapes();
    let shown = driver.shown();
    if tapes.len() == before {
        tally.lost_bytes += shown.len() as u64;
        return;
    }
    let tape = &tapes[tapes.len() - 1];
    let report = tape.report();
    let verdict = report.verdict.to_string();
    if !is_whole(&verdict) || !recovered.status.success() || !world.spools().is_empty() {
        tally.unverified += 1;
        println!("{load:?} {blow:?} {cut:?}: {report:?} {}", stderr(&recovered));
        return;
    }
    let recorded = tape.output();
    let shown = without_ours(shown, &recorded);
    let lost = missing(&shown, &recorded) + missing(&std::fs::read(&got).unwrap(), &tape.input());
    match cut {
        // All that the disk had kept is there; what it had not is told by the verdict and the recovery's note.
        Some(cut) if report.frames >= cut.frames && verdict == "recovered" => {
            tally.declared_bytes += lost
        }
        _ => tally.lost_bytes += lost,
    }
    if lost > 0 && cut.is_none_or(|cut| report.frames < cut.frames) {
        println!("{load:?} {blow:?} {cut:?}: {lost} bytes lost of {}: {report:?}", tape.id());
    }
}

fn is_whole(verdict: &str) -> bool {
    matches!(verdict, "recovered" | "intact")
}

/// Comes to a moment at which to kill: a random amount of output, of input, or of time.
fn reach(load: Load, driver: &mut Driver, dice: &mut Dice) {
    match load {
        Load::Starting => moment(dice.below(60_000)),
        Load::Typing => {
            driver.wait_for("ready");
            for _ in 0..dice.below(300) {
                driver.send([u8::try_from(dice.below(256)).unwrap()]);
            }
            moment(dice.below(3_000));
        }
        Load::Flooding | Load::Noise => {
            driver.wait_for("ready");
            let enough = usize::try_from(dice.below(3_000_000)).unwrap();
            assert!(within(Duration::from_secs(60), || driver.bytes().len() > enough));
        }
        Load::Ending => {
            driver.wait_for("ready");
            moment(dice.below(20_000));
        }
    }
}

/// Lets a random time pass: not to wait for something, but to be anywhere.
fn moment(us: u64) {
    let until = std::time::Instant::now() + Duration::from_micros(us);
    while std::time::Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Returns how many bytes of what took effect are not at the beginning of what was recorded.
fn missing(effect: &[u8], recorded: &[u8]) -> u64 {
    let same = effect.iter().zip(recorded).take_while(|(a, b)| a == b).count();
    (effect.len() - same) as u64
}

const WORLD_ROUNDS: u64 = 100;
