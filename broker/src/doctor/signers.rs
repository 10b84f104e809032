//! Who may request and approve: that the file says so, and that enough people stand in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bg_recorder::approval::signers::{AllowedSigners, Entry, SIGNERS_MAX, SignersError};
use bg_recorder::dir::read_limited;
use bg_recorder::stamp::Stamp;

use super::finding::Finding;
use crate::config::RoleConfig;
use crate::request::signer::approvers;

/// Checks a role's allowed_signers.
pub fn check(name: &str, role: &RoleConfig, now: Stamp, findings: &mut Vec<Finding>) {
    let check = format!("signers {name}");
    let path = &role.allowed_signers;
    let signers = match read(path) {
        Ok(signers) => signers,
        Err(e) => {
            findings.push(Finding::fail(
                check,
                e.to_string(),
                "nobody can request, and nobody can approve",
                FIX,
            ));
            return;
        }
    };
    if others_write(path) {
        let why = "who writes this file approves whatever it likes";
        findings.push(Finding::fail(
            check,
            format!("others write {}", path.display()),
            why,
            "chown root, chmod 644",
        ));
        return;
    }
    if let Some((one, other)) = shared(&signers) {
        let why = "whoever has that key is two people, and can approve as the second what the first asked for";
        findings.push(Finding::fail(
            check,
            format!("{one} and {other} have one key"),
            why,
            "a key of one's own for each",
        ));
        return;
    }
    findings.push(quorum(check, approvers(&signers, now).len(), role.quorum));
}

fn quorum(check: String, has: usize, quorum: u32) -> Finding {
    let others = has.saturating_sub(1);
    let needs = usize::try_from(quorum).unwrap_or(usize::MAX);
    let saw = format!("{has} people may approve, {others} besides a requester; {needs} must");
    if others < needs {
        let why = "nobody can reach the quorum: the role opens by override, or not at all";
        return Finding::fail(check, saw, why, "add people, or lower the quorum");
    }
    if others == needs && needs > 0 {
        return Finding::warn(
            check,
            saw,
            "one person who sleeps, and nobody gets in",
            "add another person",
        );
    }
    Finding::ok(check, saw)
}

/// Returns the people in a file: those with more than one key once.
///
/// # Errors
/// When it cannot be read, or has a line that is none.
pub fn people(path: &Path) -> Result<BTreeSet<String>, NoSigners> {
    let signers = read(path)?;
    Ok(signers.entries().iter().filter_map(Entry::principal).map(ToOwned::to_owned).collect())
}

fn read(path: &Path) -> Result<AllowedSigners, NoSigners> {
    let bytes = read_limited(path, SIGNERS_MAX as u64)
        .map_err(|e| NoSigners::Unreadable(path.to_owned(), e))?;
    AllowedSigners::parse(&bytes).map_err(|e| NoSigners::Malformed(path.to_owned(), e))
}

/// Why nobody knows who may sign.
#[derive(Debug, thiserror::Error)]
pub enum NoSigners {
    /// The file cannot be read.
    #[error("cannot read {path}: {1}", path = .0.display())]
    Unreadable(PathBuf, io::Error),
    /// One of its lines cannot be understood.
    #[error("{path}: {1}", path = .0.display())]
    Malformed(PathBuf, SignersError),
}

fn shared(signers: &AllowedSigners) -> Option<(&str, &str)> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    signers.entries().iter().find_map(|entry| {
        let person = entry.principal()?;
        let other = owners.insert(entry.key.fingerprint(), person)?;
        (other != person).then_some((other, person))
    })
}

fn others_write(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o022 != 0)
}

const FIX: &str = "one line a key: NAME ssh-ed25519 AAAA…; see ALLOWED SIGNERS in ssh-keygen(1)";
