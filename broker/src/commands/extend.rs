//! `bg-shell extend`: more time for a session that runs, whether its evidence store answers or not. Nothing here needs
//! the store: what an approver signed is handed over on the recording host.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bg_cli::answer::Answer;
use bg_cli::named::{Named, beginning};
use bg_cli::say::say;
use bg_recorder::approval::EXTENSION_NAMESPACE;
use bg_recorder::approval::access::Signed;
use bg_recorder::approval::extension::Extension;
use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::approval::sshsig::SSHSIG_MAX;
use bg_recorder::approval::statement::{Principal, STATEMENT_MAX};
use bg_recorder::base64;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::dir::read_limited;
use bg_recorder::genesis::Genesis;
use bg_recorder::note::{Note, NoteKind};
use bg_recorder::session::SessionId;
use clap::Args;

use crate::commands::confirm::confirm;
use crate::config::PRACTICE;
use crate::failure::Failure;
use crate::outage::letterbox::{Handed, NotGranted, hand, petition};
use crate::request::filing::nonce;
use crate::request::signer::signers;
use crate::request::signer::{Signer, SignerArgs};
use crate::world::World;

/// What the command takes.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// The session's id; on its own host, the beginning of it
    #[arg(value_name = "SESSION")]
    session: String,
    /// How much longer it may go on, at most 4h: without its store, or past its end
    #[arg(long = "for", value_name = "DURATION", default_value = "15m", value_parser = bg_cli::duration::duration)]
    time: Duration,
    /// The session's role, where the session does not run on this host
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
    /// As the responder, without a signature, where the role allows that
    #[arg(long, conflicts_with_all = ["print", "statement", "person", "key"])]
    as_responder: bool,
    #[command(flatten)]
    signer: SignerArgs,
    /// Print the statement to be signed elsewhere, with ssh-keygen -Y sign
    #[arg(long, conflicts_with_all = ["statement", "yes"])]
    print: bool,
    /// A statement that was signed elsewhere
    #[arg(long, value_name = "FILE", requires = "signature")]
    statement: Option<PathBuf>,
    /// The signature over it
    #[arg(long, value_name = "FILE", requires = "statement")]
    signature: Option<PathBuf>,
}

/// Signs an extension, or hands one over.
///
/// # Errors
/// When it cannot be done.
pub fn extend(args: &ExtendArgs, world: &World, out: &mut Answer<'_>) -> Result<ExitCode, Failure> {
    let here = here(world, &args.session)?;
    let session = match (&here, args.session.parse()) {
        (Some(genesis), _) => genesis.session,
        (None, Ok(session)) => session,
        (None, Err(_)) => return Err(not_here(&args.session)),
    };
    if args.as_responder {
        here.ok_or_else(|| not_here(&args.session))?;
        let handed = Handed::Responder { for_s: args.time.as_secs().max(1) };
        return give(world, session, &nonce()?.to_string(), &handed);
    }
    let role = role(args, here.as_ref())?;
    let (_, signers) = signers(world.role(&role)?)?;
    if args.print {
        out.exact(&unsigned(args, session, &signers, world)?);
        return Ok(ExitCode::SUCCESS);
    }
    let genesis = here.ok_or_else(|| not_here(&args.session))?;
    let (statement, signature) = match (&args.statement, &args.signature) {
        (Some(statement), Some(signature)) => by_hand(statement, signature)?,
        _ => sign(args, session, &signers, world)?,
    };
    let now = SystemClock.now();
    let refused = |why: NotGranted| Failure::new(format!("it would not count: {why}"));
    // As the session will judge it: by who could sign when it began.
    let petition = petition(genesis.about.get("access").unwrap_or_default()).map_err(refused)?;
    let extension = petition
        .extended(&statement, &signature, session, now)
        .map_err(|why| refused(NotGranted::Objection(why)))?;
    let handed = Handed::Approver(Signed { statement: base64::encode(&statement), signature });
    give(world, session, &extension.nonce.to_string(), &handed)
}

fn give(
    world: &World,
    session: SessionId,
    name: &str,
    handed: &Handed,
) -> Result<ExitCode, Failure> {
    hand(world.evidence().state(), session, name, handed).map_err(|e| {
        Failure::new("cannot hand it over")
            .because(e)
            .hint("run it as the user whose session it is")
    })?;
    say!(
        "bg-shell: handed over to session {session}: its terminal and its tape say what becomes of it"
    );
    Ok(ExitCode::SUCCESS)
}

fn sign(
    args: &ExtendArgs,
    session: SessionId,
    signers: &AllowedSigners,
    world: &World,
) -> Result<(Vec<u8>, String), Failure> {
    let signer = Signer::find(&args.signer, signers, EXTENSION_NAMESPACE, world)?;
    let statement = statement(session, args.time, &signer.person)?;
    if !args.yes {
        let time = humantime::format_duration(args.time);
        confirm(&format!("Give session {session} {time} more, as {}?", signer.person))?;
    }
    let signature = signer.sign(world, EXTENSION_NAMESPACE, &statement)?;
    Ok((statement, signature))
}

/// Returns the exact bytes; ssh-keygen signs them wherever the key is.
fn unsigned(
    args: &ExtendArgs,
    session: SessionId,
    signers: &AllowedSigners,
    world: &World,
) -> Result<Vec<u8>, Failure> {
    let person = match &args.signer.person {
        Some(name) => Principal::try_from(name.clone())
            .map_err(|e| Failure::new("--as names nobody").because(e))?,
        None => Signer::find(&args.signer, signers, EXTENSION_NAMESPACE, world)?.person.clone(),
    };
    let statement = statement(session, args.time, &person)?;
    say!("bg-shell: store the line as a file, sign it, and hand both in on the session's host:");
    say!("bg-shell:   ssh-keygen -Y sign -n {EXTENSION_NAMESPACE} -f KEY FILE");
    say!("bg-shell:   bg-shell extend {session} --statement FILE --signature FILE.sig");
    Ok(statement)
}

fn statement(session: SessionId, time: Duration, person: &Principal) -> Result<Vec<u8>, Failure> {
    let made = SystemClock.now();
    let for_s = time.as_secs().max(1);
    let expires = made.after(USABLE);
    let extension = Extension {
        v: 1,
        session,
        for_s,
        made,
        expires,
        approver: person.clone(),
        nonce: nonce()?,
    };
    let bytes = extension.write().map_err(Failure::new)?;
    Extension::parse(&bytes).map_err(Failure::new).map(|_| bytes)
}

fn by_hand(statement: &Path, signature: &Path) -> Result<(Vec<u8>, String), Failure> {
    let read = |path: &Path, max: usize| {
        let unreadable = format!("cannot read {}", path.display());
        read_limited(path, max as u64).map_err(|e| Failure::new(unreadable).because(e))
    };
    let text = String::from_utf8(read(signature, SSHSIG_MAX)?).map_err(|_| {
        Failure::new(format!("{} is not an armored signature", signature.display()))
    })?;
    Ok((read(statement, STATEMENT_MAX)?, text))
}

/// Returns the genesis of a session that runs on this host: its spool holds it.
fn here(world: &World, text: &str) -> Result<Option<Genesis>, Failure> {
    let spools = bg_recorder::spool::all(&world.evidence().spool())
        .map_err(|e| Failure::new("cannot look at the spools").because(e))?;
    let id = |dir: &PathBuf| {
        dir.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
    };
    match beginning(text, spools, id) {
        Named::None => Ok(None),
        Named::One(dir) => genesis(&dir).map(Some),
        Named::Several(_) => {
            Err(Failure::new(format!("more than one session begins with {text:?}")))
        }
    }
}

fn genesis(spool: &Path) -> Result<Genesis, Failure> {
    let unreadable = || Failure::new(format!("cannot read the genesis in {}", spool.display()));
    let bytes = read_limited(&spool.join("genesis"), bg_recorder::note::NOTE_MAX as u64)
        .map_err(|e| unreadable().because(e))?;
    let note = Note::parse(NoteKind::Genesis, &bytes).map_err(|e| unreadable().because(e))?;
    note.read().map_err(|e| unreadable().because(e))
}

fn role(args: &ExtendArgs, here: Option<&Genesis>) -> Result<String, Failure> {
    let told = || here?.about.get("role")?.as_str().map(ToOwned::to_owned);
    match args.role.clone().or_else(told) {
        Some(role) if role == PRACTICE => Err(Failure::new("the practice world has no approvers").hint(
            "with [practice.outage] extensions = \"responder\": bg-shell extend SESSION --as-responder",
        )),
        Some(role) => Ok(role),
        None => Err(not_here(&args.session)),
    }
}

fn not_here(session: &str) -> Failure {
    Failure::new(format!("session {session:?} does not run on this host"))
        .hint("sign with --role NAME --print, and hand that in on the session's host")
}

/// How long a signed extension can be used.
const USABLE: Duration = Duration::from_secs(3_600);
