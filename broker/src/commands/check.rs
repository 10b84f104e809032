//! `bg-shell config check`: the file was read to get here; this says what it means.

use std::fs::File;
use std::process::ExitCode;

use bg_recorder::approval::statement::Principal;
use bg_recorder::stamp::Stamp;

use crate::config::{Config, Mfa, RoleConfig};
use crate::failure::Failure;
use crate::request::signer::approvers;
use crate::request::signer::signers;
use crate::world::World;
use bg_cli::answer::Answer;

/// Says which file counts, what it configures, and what of that is missing or does not fit together.
pub fn check(world: &World, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    let mut lines = Vec::new();
    let named = world.environment.config.as_deref();
    match Config::find(named, &world.environment) {
        Some(path) => lines.push(format!("{}: ok", path.display())),
        None => lines.push("no configuration file: the practice world".to_owned()),
    }
    let evidence =
        world.config.evidence.store.as_deref().unwrap_or("the practice world's directory");
    lines.push(format!("  evidence  {evidence}"));
    let keys = world.config.evidence.kms_key.as_deref().unwrap_or("key files");
    lines.push(format!("  keys      {keys}"));
    let mut wrong = Vec::new();
    for (name, role) in &world.config.roles {
        lines.push(format!("  role      {name}: {} (quorum {})", role.arn, role.quorum));
        wrong.extend(
            faults(role, world.clock.now())
                .into_iter()
                .map(|what| format!("  WRONG     {name}: {what}")),
        );
    }
    if let Some(role) = &world.config.drill.role
        && !world.config.roles.contains_key(role)
    {
        wrong.push(format!("  WRONG     drill.role is {role:?}, and there is no such role"));
    }
    let code = if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    lines.append(&mut wrong);
    lines.iter().for_each(|line| out.line(line));
    Ok(code)
}

/// Reads what a role names: a file that is missing is found now, and not at 2 a.m.
fn faults(role: &RoleConfig, now: Stamp) -> Vec<String> {
    let mut faults = Vec::new();
    for (what, path) in role.files() {
        if what == "mfa.secrets" && !path.is_dir() {
            faults.push(format!("{what} is {}: no directory", path.display()));
        } else if what != "mfa.secrets"
            && let Err(e) = File::open(path)
        {
            faults.push(format!("{what} is {}: {e}", path.display()));
        }
    }
    let Ok((_, signers)) = signers(role).map_err(|e| faults.push(e.to_string())) else {
        return faults;
    };
    let people = approvers(&signers, now);
    let others = people.len().saturating_sub(1);
    if others < usize::try_from(role.quorum).unwrap_or(usize::MAX) {
        faults.push(format!(
            "quorum is {}, and {others} people besides a requester may approve",
            role.quorum
        ));
    }
    if let Mfa::Broker { secrets } = &role.mfa {
        let lack = |person: &&Principal| !secrets.join(person.as_str()).exists();
        let lacking: Vec<&str> = people.iter().filter(lack).map(Principal::as_str).collect();
        if !people.is_empty() && lacking.len() == people.len() {
            faults.push("mfa.secrets has a secret of nobody who may sign".to_owned());
        }
    }
    faults
}
