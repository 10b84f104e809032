//! Reports as evidence: `report.json`, `report.md`, and a signed fact with their digests. A later one is
//! `report-2.json` and so on.

use bg_recorder::chain::Digest;
use bg_recorder::facts::case::{CASES, Case};
use bg_recorder::keys::KeyService;
use bg_recorder::neutral::neutral_json;
use bg_recorder::session::SessionId;
use bg_recorder::store::StoreError;
use serde_json::{Value, json};

use super::facts::Facts;
use super::markdown::markdown;
use super::model::Report;
use crate::failure::Failure;
use crate::os::user::author;
use crate::world::World;

/// A report that is stored.
#[derive(Debug)]
pub struct Stored {
    /// Its name: `report`, `report-2`.
    pub name: String,
    pub json: String,
    pub markdown: String,
}

/// Writes a report beside those there are, then the fact that vouches for it.
///
/// # Errors
/// When it cannot be stored.
pub fn write(world: &World, keys: &dyn KeyService, report: &Report) -> Result<Stored, Failure> {
    let refused = |e: StoreError| {
        Failure::new("cannot store the report")
            .because(e)
            .hint("bg-shell report SESSION --write tries again")
    };
    let json = serde_json::to_string_pretty(report)
        .map_err(|e| Failure::new("cannot write JSON").because(e))?;
    let json = neutral_lines(&json);
    let markdown = markdown(report);
    let store = world.store();
    for n in 1..=REPORTS_MAX {
        let name = named(n);
        match store.put_new(&key(report.session, &name, "json"), json.as_bytes()) {
            Ok(()) => {}
            Err(StoreError::Exists(_)) => continue,
            Err(e) => return Err(refused(e)),
        }
        store.put_new(&key(report.session, &name, "md"), markdown.as_bytes()).map_err(refused)?;
        let says = json!({"json_sha256": Digest::of(json.as_bytes()), "md_sha256": Digest::of(markdown.as_bytes())});
        let case = Case::new(report.session, store);
        case.put(keys, &author(), &name, says)
            .map_err(|e| Failure::new("cannot sign the report").because(e))?;
        return Ok(Stored { name, json, markdown });
    }
    Err(Failure::new(format!("there are {REPORTS_MAX} reports of the session already")))
}

/// Reads the newest report whose digests are signed for.
///
/// # Errors
/// When the store cannot be read.
pub fn newest(world: &World, session: SessionId) -> Result<Option<Stored>, Failure> {
    let unreadable = |e| Failure::new("cannot read the stored report").because(e);
    let store = world.store();
    let keys = world.keys()?;
    let facts = Facts::read(&*store, session, keys.ring()).map_err(unreadable)?;
    for name in (1..=REPORTS_MAX).rev().map(named) {
        let (Some(json_sha256), Some(md_sha256)) =
            (facts.text(&name, "json_sha256"), facts.text(&name, "md_sha256"))
        else {
            continue;
        };
        let read = |end, digest: &str| -> Result<Option<String>, StoreError> {
            let bytes = store.get(&key(session, &name, end), REPORT_MAX)?;
            let same = Digest::of(&bytes).to_string() == digest;
            Ok(same.then(|| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let json = read("json", &json_sha256).map_err(unreadable)?;
        let markdown = read("md", &md_sha256).map_err(unreadable)?;
        let (Some(json), Some(markdown)) = (json, markdown) else {
            let what =
                format!("the stored {name} of session {session} is not the one that was signed");
            return Err(Failure::new(what)
                .hint("somebody has changed evidence; --write makes a new one from the facts"));
        };
        return Ok(Some(Stored { name, json, markdown }));
    }
    Ok(None)
}

impl Stored {
    /// Returns whether it says that the access is not closed yet.
    pub fn is_pending(&self) -> bool {
        let report: Value = serde_json::from_str(&self.json).unwrap_or_default();
        let state = report.pointer("/revocation/outcome/state").and_then(Value::as_str);
        !matches!(state, Some("revoked" | "expired" | "none"))
    }
}

/// Returns where a report is.
pub fn key(session: SessionId, name: &str, end: &str) -> String {
    format!("{CASES}{session}/{name}.{end}")
}

fn named(n: u32) -> String {
    if n == 1 { "report".to_owned() } else { format!("report-{n}") }
}

/// Makes pretty JSON harmless line by line.
pub fn neutral_lines(json: &str) -> String {
    let lines: Vec<String> = json.lines().map(neutral_json).collect();
    lines.join("\n") + "\n"
}

/// The most reports of one session.
const REPORTS_MAX: u32 = 20;
/// The most bytes of one.
const REPORT_MAX: u64 = 4_194_304;
