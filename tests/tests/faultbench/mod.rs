//! The fault bench: each row injects one fault into real sessions and looks at what is left. The tests run the
//! short rows; `tests/fault-bench --write` runs all of them and writes docs/FAULTS.md.

mod account;
mod device;
mod disk;
mod failures;
mod keys;
mod load;
mod page;
mod process;
mod row;
mod stage;
mod store;
mod time;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use failures::FAILURES;
use row::{Effort, Row, RunIn, Seen};

/// Returns the table.
fn rows() -> Vec<&'static Row> {
    [store::ROWS, keys::ROWS, account::ROWS, disk::ROWS, device::ROWS, process::ROWS, time::ROWS, load::ROWS]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn every_row_of_the_short_run_holds() {
    let short = rows().into_iter().filter(|row| row.run_in == RunIn::Every);
    let (queue, wrong) = (Mutex::new(short.collect::<Vec<_>>()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(row) = { queue.lock().unwrap().pop() } {
            if !run(row, Effort::Short).holds() {
                wrong.lock().unwrap().push(row.name);
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_page_lists_the_rows_of_the_table() {
    let page = fs::read_to_string(page::place()).unwrap();
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(listed.len(), rows().len(), "tests/fault-bench --write makes the page anew");
    for (line, row) in listed.iter().zip(rows()) {
        let told = line.strip_prefix(&page::beginning(row)).unwrap_or_else(|| panic!("{line}"));
        assert!(!told.contains("WRONG") && told.trim() != format!("{} |", page::NOT_RUN), "{line}");
    }
}

#[test]
fn what_covers_a_failure_is_there() {
    let names: BTreeSet<&str> = rows().iter().map(|row| row.name).collect();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for name in FAILURES.iter().flat_map(|failure| failure.covered_by) {
        let there = match name.split_once("::") {
            None => names.contains(name),
            Some((file, function)) => {
                let text = fs::read_to_string(tests.join(format!("{file}.rs"))).unwrap_or_default();
                !text.is_empty() && text.contains(&format!("fn {function}"))
            }
        };
        assert!(there, "{name}");
    }
    assert_eq!((FAILURES.len(), names.len()), (20, rows().len()), "a name stands for one row");
}

/// Runs the named rows with full effort, and keeps what was seen.
#[test]
#[ignore = "the full run takes long: tests/fault-bench"]
fn the_named_rows_hold() {
    let named = std::env::var("BG_TESTS_FAULTS").unwrap();
    let named: Vec<&str> = named.split_whitespace().collect();
    let mut wrong = Vec::new();
    for row in rows().into_iter().filter(|row| named.is_empty() || named.contains(&row.name)) {
        let seen = run(row, Effort::Full);
        keep(row.name, &seen.to_string());
        if !seen.holds() {
            wrong.push(row.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Writes docs/FAULTS.md of what was kept.
#[test]
#[ignore = "writes a page: tests/fault-bench --write"]
fn the_page_is_written() {
    let results = std::env::var("BG_TESTS_FAULTS_SEEN").unwrap();
    fs::write(page::place(), page::page(&rows(), &page::seen(Path::new(&results)))).unwrap();
}

fn run(row: &Row, effort: Effort) -> Seen {
    let began = Instant::now();
    let tried = std::panic::catch_unwind(|| (row.run)(effort));
    let seen = tried.unwrap_or_else(|_| Seen::default().demand(false, "the row itself failed"));
    println!("{} ({:.1} s): {seen}", row.name, began.elapsed().as_secs_f64());
    seen
}

fn keep(name: &str, seen: &str) {
    let results = std::env::var("BG_TESTS_FAULTS_SEEN").unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(results).unwrap();
    writeln!(file, "{}", serde_json::json!({"name": name, "seen": seen})).unwrap();
}
