//! Extensions that were granted, on their way into the store: each is a file on the session's host until it is a fact,
//! which compliance reads without opening the tape.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use bg_recorder::cause::chain;
use bg_recorder::dir::read_limited;
use bg_recorder::facts::case::{Case, CaseError, EXTENSION};
use bg_recorder::keys::KeyService;
use bg_recorder::note::NOTE_MAX;
use bg_recorder::session::SessionId;
use bg_recorder::spool;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use bg_relay::outside::Granted;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::news::News;
use crate::os::user::author;
use crate::outage::letterbox::place;
use crate::world::World;

/// What a session was granted and the store does not know yet.
#[derive(Debug)]
pub struct Extended {
    session: SessionId,
    dir: PathBuf,
}

impl Extended {
    /// Takes a session's.
    pub fn of(state: &Path, session: SessionId) -> Self {
        Self { session, dir: place(state, session).join(GRANTED) }
    }

    /// Keeps one.
    ///
    /// # Errors
    /// When it cannot be written. It stands on the tape all the same.
    pub fn keep(&self, granted: &Granted, left_s: u64, at: Stamp) -> io::Result<()> {
        let Granted { by, for_s, signed } = granted;
        let (statement, signature) =
            signed.clone().map(|signed| (signed.statement, signed.signature)).unzip();
        let by_role = if statement.is_some() { "approver" } else { "responder" };
        let says = json!({
            "granted": at, "extended_by": by, "as": by_role, "for_s": for_s, "left_s": left_s,
            "statement": statement, "signature": signature,
        });
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let path = self.dir.join(at.0.to_string());
        let fresh = path.with_extension("new");
        let mut file =
            fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(&says)?)?;
        file.sync_all()?;
        fs::rename(fresh, path)
    }

    /// Returns whether any is kept.
    pub fn waits(&self) -> bool {
        !self.kept().is_empty()
    }

    /// Makes a fact of each that is kept.
    ///
    /// # Errors
    /// With what went wrong; the rest stays.
    pub fn file(
        &self,
        store: &Arc<dyn ObjectStore>,
        keys: &dyn KeyService,
    ) -> Result<(), NotFiled> {
        let case = Case::new(self.session, Arc::clone(store));
        for path in self.kept() {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let read = read_limited(&path, NOTE_MAX as u64);
            // Another thread of this session was quicker.
            if matches!(&read, Err(e) if e.kind() == io::ErrorKind::NotFound) {
                continue;
            }
            let text = read.map_err(NotFiled::Unreadable)?;
            let says: Value = serde_json::from_slice(&text).map_err(NotFiled::Malformed)?;
            case.note(keys, &author(), &format!("{EXTENSION}{name}"), says)
                .map_err(NotFiled::Fact)?;
            // One that stays is the same fact again.
            fs::remove_file(&path).unwrap_or(());
        }
        // Not empty while something comes in.
        fs::remove_dir(&self.dir).unwrap_or(());
        if let Some(parent) = self.dir.parent() {
            fs::remove_dir(parent).unwrap_or(());
        }
        Ok(())
    }

    fn kept(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut kept: Vec<PathBuf> = paths.filter(|path| path.extension().is_none()).collect();
        kept.sort();
        kept
    }
}

/// Why what was granted is no fact yet.
#[derive(Debug, thiserror::Error)]
pub enum NotFiled {
    /// There are no keys to sign it with.
    #[error("{0}")]
    Keys(Failure),
    /// What was kept cannot be read.
    #[error("{0}")]
    Unreadable(io::Error),
    /// What was kept is not what was written.
    #[error("{0}")]
    Malformed(serde_json::Error),
    /// The fact is not stored.
    #[error("{}", chain(.0))]
    Fact(CaseError),
}

/// Makes facts of a running session's, beside it. What fails is tried again when it ends, and by later starts.
pub fn later(world: &World, session: SessionId) {
    let evidence = world.shared();
    let extended = Extended::of(evidence.state(), session);
    if !extended.waits() {
        return;
    }
    let keys = world.key_source();
    let work = move || match keys() {
        Some(keys) => extended.file(&evidence.store(), &*keys),
        None => Ok(()),
    };
    drop(thread::Builder::new().name("extended".into()).spawn(work));
}

/// Makes facts of an ended session's.
pub fn now(world: &World, session: SessionId) {
    let extended = Extended::of(world.evidence().state(), session);
    if !extended.waits() {
        return;
    }
    let keys = world.keys().map_err(NotFiled::Keys);
    if let Err(why) = keys.and_then(|keys| extended.file(&world.store(), &*keys)) {
        world.hear(&News::ExtensionsWait { why: &why.to_string() });
    }
}

/// Looks after what sessions have left that do not live any more: what was granted becomes facts, what was handed over
/// too late is removed.
pub fn sweep(world: &World, keys: &dyn KeyService) {
    let state = world.evidence().state();
    let Ok(entries) = fs::read_dir(state.join("extensions")) else { return };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for session in ids.filter(|session: &SessionId| !lives(world, *session)) {
        if let Err(why) = Extended::of(state, session).file(&world.store(), keys) {
            world.hear(&News::OrphanedExtensions { session, why: &why.to_string() });
            continue;
        }
        // What cannot be removed is looked at again by the next start.
        fs::remove_dir_all(place(state, session)).unwrap_or(());
    }
}

/// A session lives as long as somebody holds its spool.
fn lives(world: &World, session: SessionId) -> bool {
    matches!(spool::lock(&world.evidence().spool().join(session.to_string())), Ok(None))
}

const GRANTED: &str = "granted";
