//! An outsider's reader of asciicast v2 reads what we export. It knows a header, output and input; of what else
//! asciicast has it knows nothing.

use asciicast::{Entry, EventType, Header};

use crate::support::driver::Driver;
use crate::support::world::World;

#[test]
fn another_reader_finds_the_same_header_output_and_input() {
    let world = recorded();
    let export = String::from_utf8(world.export("cast")).unwrap();
    let (header, lines) = export.split_once('\n').unwrap();
    let header: Header = serde_json::from_str(header).unwrap();
    assert_eq!((header.version, header.width, header.height), (2, 90, 25));
    assert!(header.timestamp.is_some_and(|began| began > 1_700_000_000.0), "{header:?}");
    assert_eq!(header.env.unwrap()["TERM"], "xterm-256color");
    let entries = lines.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok());
    let read: Vec<_> =
        entries.map(|entry| (micros(entry.time), entry.event_type, entry.event_data)).collect();
    let recorded: Vec<_> = world
        .tape()
        .events()
        .into_iter()
        .filter_map(|event| Some((event.line.time_us, known(event.line.code)?, event.line.data)))
        .filter(|(_, _, data)| !data.is_empty())
        .collect();
    assert_eq!(read, recorded);
}

#[test]
fn what_another_reader_does_not_know_it_refuses_line_by_line() {
    let world = recorded();
    let codes = |format| {
        let export = String::from_utf8(world.export(format)).unwrap();
        let refused =
            export.lines().skip(1).filter(|line| serde_json::from_str::<Entry>(line).is_err());
        let mut codes: Vec<String> = refused
            .map(|line| serde_json::from_str::<(f64, String, String)>(line).unwrap().1)
            .collect();
        codes.sort();
        codes.dedup();
        codes
    };
    assert_eq!(codes("cast"), ["r"], "v2 has no exit status");
    assert_eq!(codes("cast3"), ["r", "x"]);
    let marker = serde_json::from_str::<Entry>("[0.5, \"m\", \"the store is down\"]");
    assert!(marker.unwrap_err().to_string().contains("expected an 'i' or 'o'"));
}

/// A session with output, keys, a resize and an exit status.
fn recorded() -> World {
    let world = World::new();
    let mut shell = world.quiet_shell();
    let script = "printf 'caf\\303\\251 \\377\\r\\n'; read -r _; stty size; exit 3";
    shell.args(["open", "--", "sh", "-c", script]);
    let mut driver = Driver::spawn_sized(shell, 90, 25);
    driver.wait_for("caf");
    driver.resize(100, 30);
    driver.send("typed\r");
    driver.wait_for("30 100");
    assert_eq!(driver.wait(), 3);
    world
}

fn known(code: char) -> Option<EventType> {
    match code {
        'o' => Some(EventType::Output),
        'i' => Some(EventType::Input),
        _ => None,
    }
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1_000_000.0).round() as u64
}
