//! `bg-shell open`: checks what can be checked, then runs a session.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{Environment, OpenArgs, SESSION_VARIABLE};
use crate::commands::recover;
use crate::config::PRACTICE;
use crate::failure::{Failure, NOT_EXECUTABLE, NOT_FOUND};
use crate::os::terminal;
use crate::request::dossier;
use crate::request::grant::GrantArgs;
use crate::session;
use crate::world::World;

/// What a session is for and how it runs: all checked.
#[derive(Debug)]
pub struct Plan {
    /// Why.
    pub reason: Option<String>,
    /// For which incident.
    pub incident: Option<String>,
    /// The role.
    pub role: String,
    /// The program with its arguments.
    pub command: Vec<OsString>,
    /// The session that this one is opened in.
    pub parent: Option<String>,
    /// How long it may last.
    pub max_duration: std::time::Duration,
    /// What becomes of secrets.
    pub secrets: crate::config::Secrets,
    /// What it may do while the evidence store is away.
    pub outage: crate::config::OutageConfig,
    /// The access that it is opened with; none in the practice world.
    pub wish: Option<GrantArgs>,
}

/// Opens a session and returns its exit code.
///
/// # Errors
/// When it cannot be opened, or its recording failed.
pub fn open(args: OpenArgs, world: &World) -> Result<ExitCode, Failure> {
    if terminal::in_background() {
        return Err(Failure::new("a session cannot begin in the background")
            .hint("leave the & away, or give it another standard input: < /dev/null"));
    }
    let plan = plan(args, world)?;
    recover::before_a_session(world);
    session::run(&plan, world)
}

fn plan(args: OpenArgs, world: &World) -> Result<Plan, Failure> {
    let environment = &world.environment;
    if let (Some(session), false) = (&environment.inside, args.nested) {
        return Err(Failure::new(format!("this shell is already recorded, as session {session}")).hint(
            format!("leave it first, or open a session inside it with --nested ({SESSION_VARIABLE} is set)"),
        ));
    }
    let role = role(&args, world)?;
    let wish = if role == PRACTICE { practised(&args)? } else { Some(wish(&role, &args, world)?) };
    let (max_duration, secrets, outage) = match &wish {
        None => {
            let configured = &world.config.practice;
            (args.max_duration.unwrap_or(configured.max_duration), configured.secrets, configured.outage)
        }
        Some(wish) => {
            let configured = world.role(&role)?;
            (wish.duration.unwrap_or(configured.max_duration), configured.secrets, configured.outage)
        }
    };
    Ok(Plan {
        reason: args.reason,
        incident: args.incident,
        role,
        command: command(args.command, args.shell, environment)?,
        parent: environment.inside.clone(),
        max_duration,
        secrets,
        outage,
        wish,
    })
}

fn practised(args: &OpenArgs) -> Result<Option<GrantArgs>, Failure> {
    if args.request.is_some() || args.r#override {
        return Err(Failure::new("the practice world has no requests").hint("name a role with --role"));
    }
    Ok(None)
}

/// Returns the role that is named, or the one that the request is for.
fn role(args: &OpenArgs, world: &World) -> Result<String, Failure> {
    match (&args.role, &args.request) {
        (Some(role), _) => Ok(role.clone()),
        (None, None) => Ok(PRACTICE.to_owned()),
        (None, Some(request)) => dossier::role_of(world, request),
    }
}

fn wish(name: &str, args: &OpenArgs, world: &World) -> Result<GrantArgs, Failure> {
    let role = world.role(name)?;
    let longest = role.max_duration;
    if let Some(wanted) = args.max_duration.filter(|wanted| *wanted > longest) {
        let (wanted, longest) = (humantime::format_duration(wanted), humantime::format_duration(longest));
        return Err(Failure::new(format!("role {name:?} is opened for {longest} at most, not {wanted}"))
            .hint("ask for less with --max-duration, or see max_duration of the role"));
    }
    Ok(GrantArgs {
        request: args.request.clone(),
        reason: args.reason.clone(),
        incident: args.incident.clone(),
        duration: args.max_duration,
        forced: args.r#override,
        signer: args.signer.clone(),
    })
}

fn command(
    mut command: Vec<OsString>,
    shell: Option<PathBuf>,
    environment: &Environment,
) -> Result<Vec<OsString>, Failure> {
    if command.is_empty() {
        let shell = shell.or_else(|| environment.shell.clone()).ok_or_else(|| {
            Failure::new("no shell: $SHELL is not set")
                .hint("name one with --shell /bin/sh, or a command after --")
        })?;
        command.push(shell.into());
    }
    if let Some(program) = command.first_mut() {
        *program = find(program, &environment.path)?.into();
    }
    Ok(command)
}

/// Finds a program as execvp(3) does.
fn find(program: &OsStr, path: &OsStr) -> Result<PathBuf, Failure> {
    let named = Path::new(program);
    let candidates: Vec<PathBuf> = if named.components().count() > 1 || named.is_absolute() {
        vec![named.to_owned()]
    } else {
        std::env::split_paths(path).map(|dir| dir.join(named)).collect()
    };
    let files: Vec<&PathBuf> = candidates.iter().filter(|path| path.is_file()).collect();
    let runs = |path: &&&PathBuf| path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
    match (files.iter().find(runs), files.first()) {
        (Some(found), _) => Ok((**found).clone()),
        (None, Some(file)) => Err(Failure::new(format!("cannot run {}: not executable", file.display()))
            .hint("name another program after --, or another shell with --shell")
            .code(NOT_EXECUTABLE)),
        (None, None) => Err(Failure::new(format!("cannot find {}", named.display()))
            .hint("name a program after --, or a shell with --shell")
            .code(NOT_FOUND)),
    }
}
