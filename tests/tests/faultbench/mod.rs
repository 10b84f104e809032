//! The fault bench: each row injects one fault into real sessions and looks at what is left. The tests run the
//! short rows; `tests/fault-bench --write` runs all of them and writes docs/FAULTS.md.

mod load;
mod row;
mod stage;
mod store;

use std::sync::Mutex;
use std::time::Instant;

use row::{Effort, Row, RunIn};

/// Returns the table.
fn rows() -> impl Iterator<Item = &'static Row> {
    [store::ROWS, load::ROWS].into_iter().flatten()
}

#[test]
fn every_row_of_the_short_run_holds() {
    let queue: Mutex<Vec<&Row>> = Mutex::new(rows().filter(|row| row.run_in == RunIn::Every).collect());
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(row) = { queue.lock().unwrap().pop() } {
            let (began, seen) = (Instant::now(), (row.run)(Effort::Short));
            println!("{} ({:.1} s): {seen}", row.name, began.elapsed().as_secs_f64());
            if !seen.holds() {
                wrong.lock().unwrap().push(row.name);
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    assert!(wrong.lock().unwrap().is_empty(), "{wrong:?}");
}

/// Runs the named rows with full effort: what `tests/fault-bench` calls.
#[test]
#[ignore = "the full run: tests/fault-bench"]
fn the_named_rows_hold() {
    let named = std::env::var("BG_TESTS_FAULTS").unwrap_or_default();
    for row in rows().filter(|row| named.split(' ').any(|name| name == row.name)) {
        let (began, seen) = (Instant::now(), (row.run)(Effort::Full));
        println!("{} ({:.1} s): {seen}", row.name, began.elapsed().as_secs_f64());
        assert!(seen.holds());
    }
}
