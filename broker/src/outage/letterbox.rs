//! Extensions of a session whose store is away, as the session takes them: handed over as files on its host, each
//! judged by who was allowed to sign when the session began, and used once.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bg_recorder::approval::access::{Access, Signed};
use bg_recorder::approval::extension::EXTENSION_MAX_S;
use bg_recorder::approval::objection::Objection;
use bg_recorder::approval::quorum::Petition;
use bg_recorder::approval::sshsig::SSHSIG_MAX;
use bg_recorder::approval::statement::STATEMENT_MAX;
use bg_recorder::base64;
use bg_recorder::dir::read_limited;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_relay::outside::{self, Granted, Refused};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Extensions;
use crate::facts::claim::Claim;

/// What is handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "lowercase", deny_unknown_fields)]
pub enum Handed {
    /// An approver's statement.
    Approver(Signed),
    /// The responder's wish.
    Responder {
        /// For how many more seconds.
        for_s: u64,
    },
}

/// Where a session finds its extensions, and how it judges them.
#[derive(Debug)]
pub struct Letterbox {
    dir: PathBuf,
    session: SessionId,
    responder: String,
    policy: Extensions,
    petition: Option<Petition>,
    /// Nonces of what was used.
    used: BTreeSet<String>,
    /// How many were looked at: more than [`LETTERS_MAX`] are not.
    taken: usize,
    looked: Option<Instant>,
}

impl Letterbox {
    /// Makes the one of a session. Who may sign is what its genesis says.
    pub fn new(
        state: &Path,
        session: SessionId,
        policy: Extensions,
        claim: Option<&Claim>,
        user: &str,
    ) -> Self {
        let petition = claim.and_then(|claim| petition(&claim.access).ok());
        let responder = claim.map_or_else(|| user.to_owned(), |claim| claim.person.clone());
        let dir = place(state, session);
        Self {
            dir,
            session,
            responder,
            policy,
            petition,
            used: BTreeSet::new(),
            taken: 0,
            looked: None,
        }
    }

    fn judge(&mut self, path: &Path, now: Stamp) -> Result<Granted, NotGranted> {
        let read = read_limited(path, (4 * STATEMENT_MAX + 2 * SSHSIG_MAX) as u64);
        // One that cannot be removed is used once all the same.
        let removed = fs::remove_file(path);
        let text = read.and_then(|text| removed.map(|()| text)).map_err(NotGranted::Unreadable)?;
        match serde_json::from_slice(&text).map_err(|_| NotGranted::NotOne)? {
            Handed::Approver(signed) => self.approved(signed, now),
            Handed::Responder { for_s } => self.own(for_s),
        }
    }

    fn approved(&mut self, signed: Signed, now: Stamp) -> Result<Granted, NotGranted> {
        if self.policy == Extensions::Never {
            return Err(NotGranted::Never);
        }
        let petition = self.petition.as_ref().ok_or(NotGranted::NoApprovers)?;
        let bytes = base64::decode(&signed.statement).ok_or(NotGranted::NotBase64)?;
        let extension = petition
            .extended(&bytes, &signed.signature, self.session, now)
            .map_err(NotGranted::Objection)?;
        if !self.used.insert(extension.nonce.to_string()) {
            return Err(NotGranted::Used);
        }
        let by = extension.approver.to_string();
        Ok(Granted { by, for_s: extension.for_s, signed: Some(signed) })
    }

    fn own(&self, for_s: u64) -> Result<Granted, NotGranted> {
        if self.policy != Extensions::Responder {
            return Err(NotGranted::ByResponder);
        }
        if !(1..=EXTENSION_MAX_S).contains(&for_s) {
            return Err(NotGranted::TooLong);
        }
        Ok(Granted { by: self.responder.clone(), for_s, signed: None })
    }
}

impl outside::Letterbox for Letterbox {
    fn plea(&self) -> String {
        match (self.policy, &self.petition) {
            (Extensions::Responder, _) => {
                format!("more time: bg-shell extend {} --as-responder", self.session)
            }
            (Extensions::Approver, Some(_)) => {
                format!("more time: an approver, with bg-shell extend {}", self.session)
            }
            (Extensions::Approver, None) | (Extensions::Never, _) => "save what you need".into(),
        }
    }

    fn take(&mut self, now: Stamp) -> Vec<Result<Granted, Refused>> {
        if self.looked.is_some_and(|looked| looked.elapsed() < PERIOD) {
            return Vec::new();
        }
        self.looked = Some(Instant::now());
        // Mostly there is none.
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let letters = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let whole =
            letters.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let paths: Vec<PathBuf> = whole.take(LETTERS_MAX.saturating_sub(self.taken)).collect();
        self.taken += paths.len();
        let refused = |why: NotGranted| Refused(why.to_string());
        paths.iter().map(|path| self.judge(path, now).map_err(refused)).collect()
    }
}

impl Drop for Letterbox {
    fn drop(&mut self) {
        // Usually there was none; what was not taken is for a session that has ended. What was granted stays.
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.for_each(|entry| fs::remove_file(entry.path()).unwrap_or(()));
        fs::remove_dir(&self.dir).unwrap_or(());
    }
}

/// Hands something over to a session on this host.
///
/// # Errors
/// When it cannot be written.
pub fn hand(state: &Path, session: SessionId, name: &str, handed: &Handed) -> io::Result<()> {
    let dir = place(state, session);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    let temporary = dir.join(format!("{name}.new"));
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(&serde_json::to_vec(handed)?)?;
    // The session sees a whole file or none (rename(2)).
    fs::rename(&temporary, dir.join(format!("{name}.json")))
}

/// Returns where a session's extensions are.
pub fn place(state: &Path, session: SessionId) -> PathBuf {
    state.join("extensions").join(session.to_string())
}

/// Reads who may sign, and who asked, from `about.access` of a genesis.
///
/// # Errors
/// When it does not say.
pub fn petition(access: &Value) -> Result<Petition, NotGranted> {
    let access: Access = serde_json::from_value(access.clone()).map_err(NotGranted::NoAccess)?;
    Petition::of(&access).map_err(NotGranted::Objection)
}

/// Why an extension does not count.
#[derive(Debug, thiserror::Error)]
pub enum NotGranted {
    /// Its file cannot be read or removed.
    #[error("{0}")]
    Unreadable(io::Error),
    /// Its file has something else.
    #[error("it is no extension")]
    NotOne,
    /// The role has none.
    #[error("the role allows no extensions")]
    Never,
    /// Nobody could sign one.
    #[error("the practice world has no approvers")]
    NoApprovers,
    /// The genesis does not say who may sign.
    #[error("{0}")]
    NoAccess(serde_json::Error),
    /// What was signed cannot be decoded.
    #[error("the statement is not base64")]
    NotBase64,
    /// The statement does not hold.
    #[error("{0}")]
    Objection(Objection),
    /// It gave its time already.
    #[error("it was used before")]
    Used,
    /// The responder may not give it.
    #[error("the responder may not extend here")]
    ByResponder,
    /// The responder may not give as much.
    #[error("it is for too long, or for no time")]
    TooLong,
}

/// How often a session looks.
const PERIOD: Duration = Duration::from_secs(1);
/// More than one session can use.
const LETTERS_MAX: usize = 64;
