//! Who may request and approve: that the file says so, and that enough people stand in it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::finding::Finding;
use crate::config::RoleConfig;

/// Checks a role's allowed_signers.
pub fn check(name: &str, role: &RoleConfig, findings: &mut Vec<Finding>) {
    let (check, path) = (format!("signers {name}"), &role.allowed_signers);
    let people = match people(path) {
        Ok(people) => people,
        Err(e) => {
            findings.push(Finding::fail(check, e, "nobody can request, and nobody can approve", FIX));
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
    let (has, needs) = (people.len(), usize::try_from(role.quorum).unwrap_or(usize::MAX));
    let others = has.saturating_sub(1);
    let saw = format!("{has} people, {others} besides the requester; {needs} must approve");
    findings.push(if others < needs {
        let why = "nobody can reach the quorum: the role opens by override, or not at all";
        Finding::fail(check, saw, why, "add people, or lower the quorum")
    } else if others == needs && needs > 0 {
        let why = "one person who sleeps, and nobody gets in";
        Finding::warn(check, saw, why, "add another person")
    } else {
        Finding::ok(check, saw)
    });
}

/// Returns the people in a file: those with more than one key once.
///
/// # Errors
/// When it cannot be read, or has a line that is none.
pub fn people(path: &Path) -> Result<BTreeSet<String>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut people = BTreeSet::new();
    for (at, line) in lines {
        let mut fields = line.split_whitespace();
        let principals = fields.next().unwrap_or_default();
        if !fields.any(is_key_type) {
            return Err(format!("{}, line {at}: no key", path.display()));
        }
        people.extend(principals.split(',').map(ToOwned::to_owned));
    }
    Ok(people)
}

fn is_key_type(field: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| field.starts_with(kind))
}

fn others_write(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o022 != 0)
}

const FIX: &str = "one line a key: NAME ssh-ed25519 AAAA…; see ALLOWED SIGNERS in ssh-keygen(1)";
