//! `bg-shell open`: checks what can be checked, then runs a session.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::commands::orphans;
use crate::config::PRACTICE;
use crate::environment::{Environment, SESSION_VARIABLE};
use crate::failure::{Failure, NOT_EXECUTABLE, NOT_FOUND};
use crate::os::{guard, raw, user};
use crate::request::dossier;
use crate::request::grant::GrantArgs;
use crate::request::signer::SignerArgs;
use crate::session;
use crate::session::plan::Plan;
use crate::world::World;
use bg_cli::duration::duration;

/// What `open` takes.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Why the session is needed; goes into the genesis
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The incident or ticket it belongs to
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// The role to open [default: the request's, or `practice`, the one of the practice world]
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
    /// The shell to run instead of $SHELL
    #[arg(long, value_name = "PATH")]
    pub shell: Option<PathBuf>,
    /// How long the session may last, such as `45m` or `2h` [default: 1h, or as configured]
    #[arg(long, alias = "duration", value_name = "DURATION", value_parser = duration)]
    pub max_duration: Option<Duration>,
    /// The request to use; without one, a request is filed and waited for
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// Open a role without its approvals, where the role allows it: everyone is alerted
    #[arg(long, requires = "reason")]
    pub r#override: bool,
    /// Who signs a request that is filed now
    #[command(flatten)]
    pub signer: SignerArgs,
    /// Open a session inside a recorded session, knowingly
    #[arg(long)]
    pub nested: bool,
    /// A command line for the shell, as sshd(8) gives one to a login shell
    #[arg(short = 'c', value_name = "LINE", conflicts_with = "command")]
    pub line: Option<OsString>,
    /// A command to run instead of a shell
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

impl OpenArgs {
    /// Returns whether nothing says what is to be opened.
    pub fn asks_for_nothing(&self) -> bool {
        let of_a_role = self.role.is_some() || self.request.is_some() || self.r#override;
        let of_a_shell = self.shell.is_some() || self.line.is_some() || !self.command.is_empty();
        !of_a_role && !of_a_shell
    }
}

/// Where roles are configured, `bg-shell` alone is somebody who wants one: a shell without a role would look like it.
pub fn choices(world: &World) -> Failure {
    let roles: Vec<&str> = world.config.roles.keys().map(String::as_str).collect();
    let first = roles.first().copied().unwrap_or_default();
    Failure::new(format!("which role? here are: {}", roles.join(", "))).hint(format!(
        "bg-shell open --role {first} --reason 'what is broken'; without a role: bg-shell open"
    ))
}

/// Opens a session and returns its exit code.
///
/// # Errors
/// When it cannot be opened, or its recording failed.
pub fn open(args: OpenArgs, world: &World) -> Result<ExitCode, Failure> {
    if raw::in_background() {
        return Err(Failure::new("a session cannot begin in the background")
            .hint("leave the & away, or give it another standard input: < /dev/null"));
    }
    guard::close()?;
    let plan = plan(args, world)?;
    kept_by_us_alone(world.evidence().state())?;
    orphans::before_a_session(world);
    session::run(&plan, world)
}

fn kept_by_us_alone(state: &Path) -> Result<(), Failure> {
    let Some(why) = user::objection(state) else { return Ok(()) };
    let place = state.display();
    Err(Failure::new(format!("cannot keep keys and recordings in {place}: {why}")).hint(STATE_HINT))
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
    let (max_duration, secrets, outage, containment) = match &wish {
        None => {
            let configured = &world.config.practice;
            (
                args.max_duration.unwrap_or(configured.max_duration),
                configured.secrets,
                configured.outage,
                configured.containment,
            )
        }
        Some(wish) => {
            let configured = world.role(&role)?;
            (
                wish.duration.unwrap_or(configured.max_duration),
                configured.secrets,
                configured.outage,
                configured.containment,
            )
        }
    };
    Ok(Plan {
        reason: args.reason,
        incident: args.incident,
        role,
        command: command(args.command, args.shell, args.line, environment)?,
        parent: environment.inside.clone(),
        max_duration,
        containment,
        secrets,
        outage,
        wish,
    })
}

fn practised(args: &OpenArgs) -> Result<Option<GrantArgs>, Failure> {
    if args.request.is_some() || args.r#override {
        return Err(
            Failure::new("the practice world has no requests").hint("name a role with --role")
        );
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
        let wanted = humantime::format_duration(wanted);
        let longest = humantime::format_duration(longest);
        return Err(Failure::new(format!(
            "role {name:?} is opened for {longest} at most, not {wanted}"
        ))
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
    line: Option<OsString>,
    environment: &Environment,
) -> Result<Vec<OsString>, Failure> {
    if command.is_empty() {
        // Where this program is the login shell, what it records is another one.
        let own = environment
            .shell
            .clone()
            .map(|shell| if is_this_program(&shell) { PathBuf::from(OTHER_SHELL) } else { shell });
        let shell = shell.or(own).ok_or_else(|| {
            Failure::new("no shell: $SHELL is not set")
                .hint("name one with --shell /bin/sh, or a command after --")
        })?;
        command.push(shell.into());
        command.extend(line.into_iter().flat_map(|line| ["-c".into(), line]));
    }
    if let Some(program) = command.first_mut() {
        *program = find(program, &environment.path)?.into();
    }
    Ok(command)
}

fn is_this_program(path: &Path) -> bool {
    let same = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    same(path).is_some_and(|file| same(Path::new("/proc/self/exe")) == Some(file))
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
    let runs =
        |path: &&&PathBuf| path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
    match (files.iter().find(runs), files.first()) {
        (Some(found), _) => Ok((**found).clone()),
        (None, Some(file)) => {
            Err(Failure::new(format!("cannot run {}: not executable", file.display()))
                .hint("name another program after --, or another shell with --shell")
                .code(NOT_EXECUTABLE))
        }
        (None, None) => Err(Failure::new(format!("cannot find {}", named.display()))
            .hint("name a program after --, or a shell with --shell")
            .code(NOT_FOUND)),
    }
}

const STATE_HINT: &str = "make it this user's alone, or name another: evidence.state, or in the practice world XDG_STATE_HOME";
const OTHER_SHELL: &str = "/bin/sh";
