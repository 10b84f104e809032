//! `bg-shell doctor`: the live account against the procedure. It changes nothing.

mod boundary;
mod bucket;
mod clock;
mod eyes;
mod finding;
mod key_files;
mod keys;
mod mfa;
mod notify;
mod policy;
mod principals;
mod reach;
mod revocations;
mod signers;
mod spool;
mod trust;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use self::eyes::Eyes;
use self::finding::{Finding, Verdict};
use crate::failure::Failure;
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The role to look at [default: all of them]
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// The AWS profile whose credentials look [default: that of [aws]]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Checks everything. What cannot be looked at is never ok.
///
/// # Errors
/// When AWS cannot be called at all, or nobody reads the answer.
pub fn doctor(args: &DoctorArgs, world: &World) -> Result<ExitCode, Failure> {
    let roles = match &args.role {
        Some(name) => vec![(name.as_str(), world.role(name)?)],
        None => world.config.roles.iter().map(|(name, role)| (name.as_str(), role)).collect(),
    };
    let eyes = Eyes::open(world, args.profile.as_deref())?;
    let mut findings = Vec::new();
    if !roles.is_empty() || world.config.evidence.kms_key.is_some() {
        reach::check(&eyes, &mut findings);
    }
    for (name, role) in roles {
        eyes.role(role, |seen| {
            trust::check(name, role, seen, &mut findings);
            mfa::check(name, role, seen, &mut findings);
            boundary::check(name, &eyes, seen, &mut findings);
        });
        principals::check(name, role, &eyes, &mut findings);
        signers::check(name, role, &mut findings);
    }
    keys::check(&eyes, &mut findings);
    bucket::check(&eyes, &mut findings);
    notify::check(&eyes, &mut findings);
    spool::check(world, &mut findings);
    revocations::check(world, &mut findings);
    tell(&findings, args.json)?;
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    Ok(ExitCode::from(u8::from(failed)))
}

fn tell(findings: &[Finding], json: bool) -> Result<(), Failure> {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let ok = count(Verdict::Ok);
    let warn = count(Verdict::Warn);
    let fail = count(Verdict::Fail);
    let text = if json {
        format!(
            "{}\n",
            serde_json::json!({ "findings": findings, "ok": ok, "warn": warn, "fail": fail })
        )
    } else {
        // The worst stands last, where a terminal still shows it.
        let of = |verdict| findings.iter().filter(move |finding| finding.verdict == verdict);
        let sorted = of(Verdict::Ok).chain(of(Verdict::Warn)).chain(of(Verdict::Fail));
        let lines: String = sorted.map(ToString::to_string).collect();
        format!("{lines}{ok} ok, {warn} to look at, {fail} wrong\n")
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|e| Failure::new("cannot write to standard output").because(e))
}
