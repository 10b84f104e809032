//! Who an auditor knows: the tape carries the allowed_signers of whoever recorded it, and those are their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::dir::read_limited;
use bg_recorder::verdict::{Finding, Report, Weight};

use crate::config::RoleSigners;
use crate::failure::Failure;

/// The allowed_signers files that a tape is compared with.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// One for all roles, from the command line.
    pub file: Option<PathBuf>,
    /// Those of the configuration, by role.
    pub roles: BTreeMap<String, RoleSigners>,
}

impl Known {
    /// Adds to a report who signed for its access and is not in the auditor's own file.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn compare(&self, report: &mut Report) -> Result<(), Failure> {
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

    fn of(&self, role: Option<&str>) -> Option<&Path> {
        let configured = || self.roles.get(role?)?.allowed_signers.as_deref();
        self.file.as_deref().or_else(configured)
    }
}

fn read(file: &Path) -> Result<AllowedSigners, Failure> {
    let cannot = || Failure::new(format!("cannot use the allowed_signers {}", file.display()));
    let bytes = read_limited(file, FILE_MAX).map_err(|e| cannot().because(e))?;
    AllowedSigners::parse(&bytes)
        .map_err(|e| cannot().because(e).hint("the form is that of ssh-keygen's ALLOWED SIGNERS"))
}

/// FORMAT.md 5.1.
const FILE_MAX: u64 = 65_536;
