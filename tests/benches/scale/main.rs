//! Many sessions at once through the real recorder, shipping and verification; `benches/scale` runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints its figures, and says where it cannot go on"
)]

mod counted;
mod figures;
mod live;
mod load;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::tape::Tape;
use bg_recorder::verdict::Verdict;
use bg_recorder::verify::verify;

use self::figures::Usage;
use self::live::Lived;
use self::load::Kind;
use self::world::World;

/// What the command line asks for.
struct Plan {
    sessions: usize,
    seconds: u64,
    brokers: usize,
    flooding: usize,
    config: Option<String>,
}

fn main() -> ExitCode {
    let plan = plan();
    let world = Arc::new(World::open(plan.config.as_deref()));
    println!(
        "{} sessions on {} brokers' state for {} s, evidence in {}",
        plan.sessions, plan.brokers, plan.seconds, world.place
    );
    let before = Usage::now();
    let began = Instant::now();
    let lived = live(&plan, &world);
    let used = Usage::now().since(&before);
    let took = began.elapsed();
    figures::of_sessions(&lived, &world, took, &used);
    let intact = verify_all(&lived, &world);
    if intact == plan.sessions { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Sessions start over the first tenth of the time, as nobody starts them all at once; each lives for `seconds`.
fn live(plan: &Plan, world: &Arc<World>) -> Vec<Lived> {
    let gap = Duration::from_secs(plan.seconds) / 10 / u32::try_from(plan.sessions).unwrap().max(1);
    let sessions: Vec<_> = (0..plan.sessions)
        .map(|n| {
            thread::sleep(gap);
            let world = Arc::clone(world);
            let seconds = Duration::from_secs(plan.seconds);
            let kind = Kind::of(n, plan.flooding);
            let broker = n % plan.brokers;
            thread::spawn(move || live::live(&world, n, kind, broker, seconds))
        })
        .collect();
    sessions.into_iter().map(|session| session.join().expect("a session")).collect()
}

/// Verifies every tape as an auditor would: listed, read from the store, judged.
fn verify_all(lived: &[Lived], world: &World) -> usize {
    let before = Usage::now();
    let began = Instant::now();
    let gets = world.store.gets();
    let mut intact = 0;
    for session in lived {
        let tape = Tape::list(&*world.store, &session.prefix, Some(session.id)).unwrap();
        let report = verify(&tape, &world.trusted, SystemClock.wall_us());
        if report.verdict == Verdict::Intact {
            intact += 1;
        } else {
            println!("{}: {:?} {:?}", session.id, report.verdict, report.findings);
        }
    }
    let used = Usage::now().since(&before);
    println!(
        "verify: {intact} of {} intact, {:.1} s, {:.1} CPU s, {} GETs",
        lived.len(),
        began.elapsed().as_secs_f64(),
        used.cpu_s,
        world.store.gets() - gets
    );
    intact
}

fn plan() -> Plan {
    let mut plan = Plan { sessions: 200, seconds: 90, brokers: 100, flooding: 2, config: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().expect("a value");
        match arg.as_str() {
            "--sessions" => plan.sessions = value().parse().unwrap(),
            "--seconds" => plan.seconds = value().parse().unwrap(),
            "--brokers" => plan.brokers = value().parse().unwrap(),
            "--flooding" => plan.flooding = value().parse().unwrap(),
            "--config" => plan.config = Some(value()),
            // cargo bench says so.
            "--bench" => {}
            other => panic!("{other}: --sessions --seconds --brokers --flooding --config"),
        }
    }
    plan
}
