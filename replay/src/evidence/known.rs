//! Who an auditor knows: the tape carries the allowed_signers and the terms of whoever recorded it, and those are their
//! own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::dir::read_limited;
use bg_recorder::genesis::Genesis;
use bg_recorder::note::{Note, NoteKind};
use bg_recorder::session::ObjectName;
use bg_recorder::tape::Tape;
use bg_recorder::verdict::{Finding, Report, Weight};
use serde_json::Value;

use crate::config::RoleTerms;
use crate::failure::Failure;

/// The allowed_signers files and the terms that a tape is compared with.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// One for all roles, from the command line.
    pub file: Option<PathBuf>,
    /// Those of the configuration, by role.
    pub roles: BTreeMap<String, RoleTerms>,
}

impl Known {
    /// Adds to a report who signed for its access and is not in the auditor's own file, and under which other terms
    /// than the configured ones.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn compare(&self, tape: &Tape<'_>, report: &mut Report) -> Result<(), Failure> {
        self.terms(tape, report);
        let Some(file) = self.of(report.role.as_deref()) else { return Ok(()) };
        let signers = read(file)?;
        for one in &report.people {
            if !signers.lists(one.name.as_str(), &one.public) {
                let what = format!(
                    "signer not in your allowed_signers: the {} is signed by {} with {}, which {} does not list for that name",
                    one.signed,
                    one.name,
                    one.key,
                    file.display()
                );
                let object = "genesis".to_owned();
                report.findings.push(Finding { object, frame: None, what, weight: Weight::Note });
            }
        }
        Ok(())
    }

    /// The digest of a role's terms is bg-shell's to make; the two that a tape has in the clear are compared here.
    fn terms(&self, tape: &Tape<'_>, report: &mut Report) {
        let configured = report.role.as_deref().and_then(|role| self.roles.get(role));
        let (Some(configured), Some(access)) = (configured, access(tape)) else { return };
        let quorum = configured.quorum.map(Value::from);
        let arn = configured.arn.as_deref().map(Value::from);
        for (name, configured) in [("quorum", quorum), ("role_arn", arn)] {
            let taped = access.get(name);
            if let (Some(configured), Some(taped)) = (configured, taped)
                && configured != *taped
            {
                let what = format!(
                    "other terms than yours: its {name} is {taped}, and you have configured {configured}"
                );
                let object = "genesis".to_owned();
                report.findings.push(Finding { object, frame: None, what, weight: Weight::Note });
            }
        }
    }

    fn of(&self, role: Option<&str>) -> Option<&Path> {
        let configured = || self.roles.get(role?)?.allowed_signers.as_deref();
        self.file.as_deref().or_else(configured)
    }
}

/// Returns what the genesis says of who allowed the access; verification has judged it.
fn access(tape: &Tape<'_>) -> Option<Value> {
    let bytes = tape.get(ObjectName::Genesis).ok()?;
    let genesis: Genesis = Note::parse(NoteKind::Genesis, &bytes).ok()?.read().ok()?;
    genesis.about.get("access").cloned()
}

fn read(file: &Path) -> Result<AllowedSigners, Failure> {
    let cannot = || Failure::new(format!("cannot use the allowed_signers {}", file.display()));
    let bytes = read_limited(file, FILE_MAX).map_err(|e| cannot().because(e))?;
    AllowedSigners::parse(&bytes)
        .map_err(|e| cannot().because(e).hint("the form is that of ssh-keygen's ALLOWED SIGNERS"))
}

/// FORMAT.md 5.1.
const FILE_MAX: u64 = 65_536;
