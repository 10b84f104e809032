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
    [
        store::ROWS,
        keys::ROWS,
        account::ROWS,
        disk::ROWS,
        device::ROWS,
        process::ROWS,
        time::ROWS,
        load::ROWS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `BG_TESTS_FAULTS=NAMES` tries those rows (of none: all) one by one with full effort, and keeps what was seen; the
/// suite tries the short ones.
#[test]
fn every_row_holds() {
    let wrong = match std::env::var("BG_TESTS_FAULTS") {
        Ok(named) => one_by_one(&named.split_whitespace().collect::<Vec<_>>()),
        Err(_) => side_by_side(),
    };
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn side_by_side() -> Vec<&'static str> {
    let short = rows().into_iter().filter(|row| row.run_in == RunIn::Every);
    let queue = Mutex::new(short.collect::<Vec<_>>());
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(row) = { queue.lock().unwrap().pop() } {
            if !run(row, Effort::Short).holds() {
                wrong.lock().unwrap().push(row.name);
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    wrong.into_inner().unwrap()
}

fn one_by_one(named: &[&str]) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let wanted = |row: &&Row| match row.run_in {
        RunIn::Named => named.contains(&row.name),
        RunIn::Every | RunIn::Full => named.is_empty() || named.contains(&row.name),
    };
    for row in rows().into_iter().filter(wanted) {
        let seen = run(row, Effort::Full);
        keep(row.name, &seen.to_string());
        if !seen.holds() {
            wrong.push(row.name);
        }
    }
    wrong
}

/// `BG_TESTS_FAULTS_PAGE=RESULTS` first makes the page anew, of what was kept there.
#[test]
fn the_page_lists_the_rows_of_the_table() {
    if let Ok(results) = std::env::var("BG_TESTS_FAULTS_PAGE") {
        fs::write(page::place(), page::page(&rows(), &page::seen(Path::new(&results)))).unwrap();
    }
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
