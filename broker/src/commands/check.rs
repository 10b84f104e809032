//! `bg-shell config check`: the file was read to get here; this says what it means.

use std::process::ExitCode;

use crate::config::Config;
use crate::failure::Failure;
use crate::world::World;
use bg_cli::answer::Answer;

/// Says which file counts and what it configures.
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
    for (name, role) in &world.config.roles {
        lines.push(format!("  role      {name}: {} (quorum {})", role.arn, role.quorum));
    }
    lines.iter().for_each(|line| out.line(line));
    Ok(ExitCode::SUCCESS)
}
