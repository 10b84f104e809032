//! `bg-shell doctor`: the live account against the procedure. It changes nothing.

mod boundary;
mod bucket;
mod clock;
mod containment;
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
mod round;
mod signers;
mod spool;
mod trust;

use std::process::ExitCode;

use bg_cli::answer::Answer;
use clap::Args;
use serde_json::json;

use self::eyes::Eyes;
use self::finding::{Finding, Verdict};
use self::round::Check;
use crate::config::RoleConfig;
use crate::failure::{Failure, PENDING};
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
    /// Exit with 3 when nothing is wrong and something is to be looked at: for cron
    #[arg(long)]
    strict: bool,
}

/// Checks everything. What cannot be looked at is never ok.
///
/// # Errors
/// When AWS cannot be called at all.
pub fn doctor(args: &DoctorArgs, world: &World, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    let roles = match &args.role {
        Some(name) => vec![(name.as_str(), world.role(name)?)],
        None => world.config.roles.iter().map(|(name, role)| (name.as_str(), role)).collect(),
    };
    let mut table = Table { json: args.json, out };
    let mut findings = Vec::new();
    // While this process has no other children: a keeper that is let go takes all of them with it.
    containment::check(world, &mut findings);
    table.tell(&findings);
    let eyes = Eyes::open(world, args.profile.as_deref())?;
    if !roles.is_empty() || world.config.evidence.kms_key.is_some() {
        findings.append(&mut round::run(reach::checks(&eyes), |found| table.tell(found)));
        let mut heard = Vec::new();
        clock::check(&eyes, &mut heard);
        table.tell(&heard);
        findings.append(&mut heard);
    }
    findings.append(&mut round::run(checks(&eyes, roles), |found| table.tell(found)));
    table.sum(&findings);
    let is = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    Ok(match () {
        () if is(Verdict::Fail) => ExitCode::FAILURE,
        () if args.strict && is(Verdict::Warn) => ExitCode::from(PENDING),
        () => ExitCode::SUCCESS,
    })
}

/// What can be looked at once it is known which services answer; what a silent one would have to say is left out.
fn checks<'c>(eyes: &'c Eyes<'_>, roles: Vec<(&'c str, &'c RoleConfig)>) -> Vec<Check<'c>> {
    let world = eyes.world;
    let mut checks: Vec<Check<'c>> = Vec::new();
    for (name, role) in roles {
        checks.push(unless_silent(eyes, "iam", format!("role {name}"), move |findings| {
            eyes.role(role, |seen| {
                trust::check(name, role, seen, findings);
                mfa::check(name, role, seen, findings);
                boundary::check(name, eyes, seen, findings);
            });
        }));
        checks.push(unless_silent(eyes, "sts", format!("principals {name}"), move |findings| {
            principals::check(name, role, eyes, findings);
        }));
        let now = world.clock.now();
        checks.push(Box::new(move |findings| signers::check(name, role, now, findings)));
    }
    checks.push(unless_silent(eyes, "kms", "keys".into(), |findings| keys::check(eyes, findings)));
    checks.push(unless_silent(eyes, "s3", "bucket".into(), |findings| {
        bucket::check(eyes, findings);
    }));
    checks.push(Box::new(|findings| notify::check(eyes, findings)));
    checks.push(Box::new(|findings| spool::check(world, findings)));
    checks.push(unless_silent(eyes, "s3", "revocations".into(), |findings| {
        revocations::check(world, findings);
    }));
    checks
}

fn unless_silent<'c>(
    eyes: &Eyes<'_>,
    service: &'static str,
    what: String,
    check: impl FnOnce(&mut Vec<Finding>) + Send + 'c,
) -> Check<'c> {
    if !eyes.is_silent(service) {
        return Box::new(check);
    }
    let saw = format!("not looked at: {service} does not answer");
    let why = "what was not looked at may be wrong";
    let unseen = Finding::warn(what, saw, why, format!("see reach {service}"));
    Box::new(move |findings| findings.push(unseen))
}

/// The answer as people read it, line by line; as JSON it is one object at the end.
struct Table<'t, 'o> {
    json: bool,
    out: &'t mut Answer<'o>,
}

impl Table<'_, '_> {
    fn tell(&mut self, findings: &[Finding]) {
        if !self.json {
            findings.iter().flat_map(Finding::lines).for_each(|line| self.out.line(&line));
        }
    }

    fn sum(self, findings: &[Finding]) {
        let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
        let ok = count(Verdict::Ok);
        let warn = count(Verdict::Warn);
        let fail = count(Verdict::Fail);
        if self.json {
            let all = json!({ "findings": findings, "ok": ok, "warn": warn, "fail": fail });
            return self.out.json(&all);
        }
        // The worst stands last, where a terminal still shows it.
        if fail > 0 {
            self.out.page("\nwrong:\n");
        }
        let wrong = findings.iter().filter(|finding| finding.verdict == Verdict::Fail);
        wrong.flat_map(Finding::lines).for_each(|line| self.out.line(&line));
        self.out.line(&format!("{ok} ok, {warn} to look at, {fail} wrong"));
    }
}
