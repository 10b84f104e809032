//! docs/FAULTS.md: made of the table and of what a run has seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::failures::FAILURES;
use super::row::Row;

/// Returns the page; `seen` has a text for each row's name.
pub fn page(rows: &[&Row], seen: &BTreeMap<String, String>) -> String {
    let told = |name: &str| seen.get(name).map_or(NOT_RUN, String::as_str).replace('|', "\\|");
    let mut page = HEAD.to_owned();
    for row in rows {
        page += &format!("{} {} |\n", beginning(row), told(row.name));
    }
    page += CAMPAIGN;
    page += &format!("    {}\n", told("kill-campaign"));
    page += TWENTY;
    for (number, failure) in FAILURES.iter().enumerate() {
        let covered: Vec<String> =
            failure.covered_by.iter().map(|name| format!("`{name}`")).collect();
        page += &format!("| {} | {} | {} |\n", number + 1, failure.what, covered.join(", "));
    }
    page
}

/// Returns what the page has of a row whatever was seen.
pub fn beginning(row: &Row) -> String {
    format!("| `{}` | {} | {} |", row.name, row.injected, row.must)
}

/// Reads what runs have seen: an object a line, the newest of a name counts.
pub fn seen(results: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(results).unwrap_or_default();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        (text("name"), text("seen"))
    };
    text.lines().map(line).collect()
}

/// Returns where the page is.
pub fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FAULTS.md")
}

/// Stands where a row was never run.
pub const NOT_RUN: &str = "not run";
const HEAD: &str = "# Faults

Each row injects one fault into real sessions. The programs are the real ones, on real ptys. The store is SeaweedFS
behind a wire that fails. KMS, STS and IAM are emulators behind another such wire, and the disks are our own.
`tests/fault-bench --write` runs all rows and writes such a page. The tests run the short rows each time, and see to it
that the page lists exactly the rows of the table (`tests/tests/faultbench/`).

*Lost* are bytes that the terminal was shown and that are neither on the tape nor declared there. Their number must be
0, both verifiers must agree on *intact* or *recovered*, and no process may live on.

| row | injected | must hold | seen |
| --- | --- | --- | --- |
";
const CAMPAIGN: &str = "
## What this page does not show

- While the file system is still mounted, `recover` reads from memory what a device lost. `disk-eio-device` looks at
  that. After a new mount, what was written since the last completed sync may be gone (FORMAT.md 11), as after a power
  cut.
- EIO of a call is injected by strace(1). EIO of a device is injected by a loop device over a full tmpfs, because there
  is no device mapper here.
- The clock of `clock-steps` is that of one process, whose vDSO is written over. In `segments-10000` and `idle-8-h` the
  recorder runs alone, with a clock of ours.
- The rows were run with full effort in two processes at once, beside a build and other tests. So it says little how
  long something took.
- `no-descriptors` ends the session instead of going on, because frames that were sealed and not spooled are not kept
  for another try.

## The kill campaign

`tests/kill-campaign N` kills sessions at random moments: while somebody types, while text or noise floods, at the start
and at the end. It kills the recorder alone, or its process group. Or it kills the recorder and cuts off or zeroes the
end of what it wrote last, as happens on a machine that loses its power. The recovered tape declares what such a machine
may lose (FORMAT.md 11). Frames that were whole on the disk must be on it.

";
const TWENTY: &str = "
## Twenty failures that products had

| | failure | covered by the row, or the test, or all tests of the file |
| --- | --- | --- |
";
