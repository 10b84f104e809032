//! What a run shows.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::counted::Put;
use crate::live::Lived;
use crate::load::Kind;
use crate::world::World;

/// CPU time and memory of this process (proc_pid_stat(5), proc_pid_status(5)).
pub struct Usage {
    pub cpu_s: f64,
    pub rss_kib: u64,
    pub rss_max_kib: u64,
}

impl Usage {
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let rss_kib = of("VmRSS:");
        let rss_max_kib = of("VmHWM:");
        Self { cpu_s: ticks / TICKS_PER_S, rss_kib, rss_max_kib }
    }

    pub fn since(self, before: &Self) -> Self {
        Self { cpu_s: self.cpu_s - before.cpu_s, ..self }
    }
}

/// Prints what the sessions cost.
pub fn of_sessions(lived: &[Lived], world: &World, took: Duration, used: &Usage) {
    let puts = world.store.puts();
    let bytes: u64 = puts.iter().map(|put| put.len).sum();
    let seconds = took.as_secs_f64();
    println!(
        "took {seconds:.1} s in all; {:.1} CPU s ({:.2} of one core); this process, all sessions: RSS at most {} MiB, {} MiB at the end",
        used.cpu_s,
        used.cpu_s / seconds,
        used.rss_max_kib / 1_024,
        used.rss_kib / 1_024
    );
    println!(
        "{} objects, {bytes} bytes, {} GETs; busiest second: {} PUTs; {:.1} PUTs/s on average",
        puts.len(),
        world.store.gets(),
        busiest(&puts),
        puts.len() as f64 / seconds
    );
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "load average at the end (1, 5, 15 min): {}",
        load.split(' ').take(3).collect::<Vec<_>>().join(" ")
    );
    spread("PUT", puts.iter().map(|put| put.took).collect());
    spread("start (begin to stored genesis)", lived.iter().map(|session| session.begin).collect());
    spread("end (finish to stored seal)", lived.iter().map(|session| session.finish).collect());
    spread(
        "slowest accept of each session",
        lived.iter().map(|session| session.accept_max).collect(),
    );
    let late = lateness(lived, &puts);
    spread(
        "in the store after it happened, all frames",
        late.values().flatten().copied().collect(),
    );
    println!("\nper session-hour, without what is once a session:");
    println!(
        "| kind | sessions | PUTs | GETs | data keys | signatures | bytes in | bytes stored | late p50 | late p99 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for kind in [Kind::Idle, Kind::Sometimes, Kind::Typing, Kind::Flooding] {
        of_kind(kind, lived, &puts, world, late.get(&kind).map_or(&[], Vec::as_slice));
    }
}

/// A row of the cost table. Genesis, seal, the first data key and three signatures are once a session, not an hour's.
fn of_kind(kind: Kind, lived: &[Lived], puts: &[Put], world: &World, late: &[Duration]) {
    let sessions: Vec<&Lived> = lived.iter().filter(|session| session.kind == kind).collect();
    if sessions.is_empty() {
        return;
    }
    let hours: f64 = sessions.iter().map(|session| session.lived.as_secs_f64() / 3_600.0).sum();
    let per_hour = |n: u64| (n as f64 / hours).round();
    let once = sessions.len() as u64;
    let ours: Vec<&Put> = puts
        .iter()
        .filter(|put| sessions.iter().any(|session| put.key.starts_with(&session.prefix)))
        .collect();
    let living = ours
        .iter()
        .filter(|put| put.key.contains("/segments/") || put.key.contains("/checkpoints/"));
    let (objects, bytes) = living.fold((0, 0), |(n, bytes), put| (n + 1, bytes + put.len));
    let (minted, signed) = world.calls.of(kind);
    let mut late = late.to_vec();
    late.sort_unstable();
    println!(
        "| {kind:?} | {once} | {} | {} | {} | {} | {} | {} | {} ms | {} ms |",
        per_hour(objects),
        per_hour(objects),
        per_hour(minted.saturating_sub(once)),
        per_hour(signed.saturating_sub(3 * once)),
        per_hour(sessions.iter().map(|session| session.plain).sum()),
        per_hour(bytes),
        at(&late, 50).as_millis(),
        at(&late, 99).as_millis(),
    );
}

/// Returns, for each kind, how long after it happened each frame was in the store.
fn lateness(lived: &[Lived], puts: &[Put]) -> BTreeMap<Kind, Vec<Duration>> {
    let sessions: BTreeMap<&str, &Lived> = lived.iter().map(|s| (s.prefix.as_str(), s)).collect();
    let mut late: BTreeMap<Kind, Vec<Duration>> = BTreeMap::new();
    for put in puts {
        let Some((first, count)) = put.frames else { continue };
        let (prefix, _) = put.key.split_once("segments/").unwrap();
        let session = sessions[prefix];
        for frame in first..first + count {
            let happened = session.frames[usize::try_from(frame).unwrap()];
            late.entry(session.kind)
                .or_default()
                .push(put.done.saturating_duration_since(happened));
        }
    }
    late
}

fn busiest(puts: &[Put]) -> usize {
    let Some(first) = puts.iter().map(|put| put.done).min() else { return 0 };
    let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
    for put in puts {
        *seconds.entry(put.done.duration_since(first).as_secs()).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or(0)
}

fn spread(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |percent| at(&times, percent).as_secs_f64() * 1_000.0;
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms, of {}",
        ms(50),
        ms(99),
        ms(100),
        times.len()
    );
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or_default()
}

/// USER_HZ, which is 100 on every Linux that we know.
const TICKS_PER_S: f64 = 100.0;
