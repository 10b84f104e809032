//! Who is at the keyboard, and the SSH key that speaks for them. ssh-keygen signs: it knows agents, passphrases
//! and authenticators, and the terminal stays its own.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bg_recorder::approval::APPROVAL_NAMESPACE;
use bg_recorder::approval::key::{Presence, PublicKey};
use bg_recorder::approval::signers::{AllowedSigners, Entry};
use bg_recorder::approval::statement::Principal;
use bg_recorder::stamp::Stamp;
use clap::Args;

use crate::config::RoleConfig;
use crate::failure::Failure;
use crate::news::News;
use crate::request::private_file::public_half;
use crate::world::World;

/// Who signs, and with what.
#[derive(Debug, Clone, Default, Args)]
pub struct SignerArgs {
    /// Who signs, as the role's allowed_signers file names them [default: whom the key stands for]
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub person: Option<String>,
    /// The SSH key that signs, private or public [default: of ssh-agent and ~/.ssh/id_*, the one that may]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// A person with a key.
#[derive(Debug)]
pub struct Signer {
    /// Who.
    pub person: Principal,
    key: Candidate,
}

/// A public key, and the file that ssh-keygen is given for it.
#[derive(Debug)]
struct Candidate {
    key: PublicKey,
    file: PathBuf,
    /// The file was written here, for a key that only the agent has.
    temporary: bool,
}

impl Signer {
    /// Finds the key that may sign in a namespace.
    ///
    /// # Errors
    /// When there is none, or it could stand for several people.
    pub fn find(
        args: &SignerArgs,
        signers: &AllowedSigners,
        namespace: &str,
        world: &World,
    ) -> Result<Self, Failure> {
        let candidates = match &args.key {
            Some(file) => vec![named(file)?],
            None => present(world)?,
        };
        let count = candidates.len();
        let now = world.clock.now();
        let mut found: Option<Self> = None;
        for key in candidates {
            let Some(person) = person(args.person.as_deref(), signers, namespace, &key.key, now)?
            else {
                continue;
            };
            match &found {
                Some(other) if other.person != person => {
                    return Err(Failure::new(format!(
                        "the keys here stand for {} and {person}",
                        other.person
                    ))
                    .hint("say who is meant with --as, or which key with --key"));
                }
                Some(_) => {}
                None => found = Some(Self { person, key }),
            }
        }
        found.ok_or_else(|| nobody(args, namespace, count))
    }

    /// Signs; ssh-keygen may ask for a passphrase or a touch.
    ///
    /// # Errors
    /// When it does not sign.
    pub fn sign(&self, world: &World, namespace: &str, bytes: &[u8]) -> Result<String, Failure> {
        world.hear(&News::Signs { person: self.person.as_str(), key: &self.key.name() });
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(&self.key.file);
        let no_keygen = |e| {
            Failure::new("cannot run ssh-keygen")
                .because(e)
                .hint("it comes with OpenSSH 8.2 or newer")
        };
        let mut child =
            keygen.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(no_keygen)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(bytes).map_err(no_keygen)?;
        }
        let output = child.wait_with_output().map_err(no_keygen)?;
        let signature = String::from_utf8(output.stdout).ok().filter(|_| output.status.success());
        signature.ok_or_else(|| {
            Failure::new("ssh-keygen did not sign")
                .hint("is the key's private half here, or in ssh-agent?")
        })
    }
}

impl Candidate {
    /// Returns what a person knows the key by: ssh-keygen's own question for a passphrase does not say it.
    fn name(&self) -> String {
        let file =
            if self.temporary { "ssh-agent".into() } else { self.file.display().to_string() };
        format!("{file} ({})", self.key.fingerprint())
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        if self.temporary {
            // It holds a public key: one that stays behind tells nothing.
            drop(std::fs::remove_file(&self.file));
        }
    }
}

/// Reads the allowed_signers file of a role.
///
/// # Errors
/// When it cannot be read, or one line of it cannot.
pub fn signers(role: &RoleConfig) -> Result<(Vec<u8>, AllowedSigners), Failure> {
    let path = role.allowed_signers.display();
    let text = std::fs::read(&role.allowed_signers).map_err(|e| {
        Failure::new(format!("cannot read {path}"))
            .because(e)
            .hint("see allowed_signers of the role")
    })?;
    let signers = AllowedSigners::parse(&text).map_err(|e| {
        Failure::new(format!("cannot use {path}"))
            .because(e)
            .hint("see ssh-keygen(1), ALLOWED SIGNERS")
    })?;
    Ok((text, signers))
}

/// Returns those whose keys may approve at a time, and whose names can stand on an approval. A pattern stands for nobody in
/// particular, so it adds nobody.
pub fn approvers(signers: &AllowedSigners, now: Stamp) -> BTreeSet<Principal> {
    let may = |entry: &&Entry| {
        let person = entry.principal().unwrap_or_default();
        // Whoever is asked for their presence will be present.
        let presence = Presence::Verified;
        signers.allow(person, &entry.key, APPROVAL_NAMESPACE, now, presence).is_ok()
    };
    let names = signers.entries().iter().filter(may).filter_map(Entry::principal);
    names.filter_map(|name| Principal::try_from(name.to_owned()).ok()).collect()
}

/// Returns for whom a key may sign, if for anybody.
fn person(
    wanted: Option<&str>,
    signers: &AllowedSigners,
    namespace: &str,
    key: &PublicKey,
    now: Stamp,
) -> Result<Option<Principal>, Failure> {
    // Whether the user is verified shows in the signature only.
    let allowed = |name: &str| signers.allow(name, key, namespace, now, Presence::Verified).is_ok();
    let entries = signers.entries().iter().filter(|entry| entry.key == *key);
    let names: Vec<&str> = match wanted {
        Some(name) => vec![name],
        None => entries.filter_map(|entry| entry.principal()).collect(),
    };
    let mut names: Vec<&str> = names.into_iter().filter(|name| allowed(name)).collect();
    names.dedup();
    match names.as_slice() {
        [] => Ok(None),
        [name] => Principal::try_from((*name).to_owned()).map(Some).map_err(|e| {
            Failure::new(format!("{name:?} cannot sign here"))
                .because(e)
                .hint("rename it in allowed_signers")
        }),
        names => Err(Failure::new(format!("the key stands for {}", names.join(" and ")))
            .hint("say who is meant with --as")),
    }
}

fn nobody(args: &SignerArgs, namespace: &str, count: usize) -> Failure {
    let whom = args.person.as_deref().map_or(String::new(), |person| format!(" for {person}"));
    let what = match &args.key {
        Some(file) => format!("the key {} may not sign{whom} here", file.display()),
        None if count == 0 => format!("no SSH key is here to sign with{whom}"),
        None => format!("none of the {count} SSH keys here may sign{whom}"),
    };
    let listed =
        format!("the role's allowed_signers file must list the key, for the namespace {namespace}");
    let hint = match (&args.key, count) {
        (Some(_), _) => listed,
        (None, 0) => {
            "ssh-agent and ~/.ssh/id_*.pub have none: name one with --key, or ssh-add it".to_owned()
        }
        (None, _) => format!("{listed}; name another key with --key, or ssh-add it"),
    };
    Failure::new(what).hint(hint)
}

/// Reads the key that was named: its own public part, that of the file beside it, or, of a private key in another form
/// than OpenSSH's own, what ssh-keygen derives, which may ask for a passphrase.
fn named(file: &Path) -> Result<Candidate, Failure> {
    let beside = PathBuf::from(format!("{}.pub", file.display()));
    let text = |path: &Path| path.is_file().then(|| std::fs::read_to_string(path).ok())?;
    let public = |path: &Path| text(path).and_then(|text| public(&text));
    let own = |path: &Path| text(path).and_then(|text| public_half(&text));
    if !file.exists() && !beside.exists() {
        return Err(Failure::new(format!("there is no SSH key {}", file.display())).hint(
            "name the file of a private or a public key, or leave --key away to use ssh-agent",
        ));
    }
    let key = public(file).or_else(|| own(file)).or_else(|| public(&beside));
    let key = key.or_else(|| derived(file));
    let key = key.ok_or_else(|| {
        Failure::new(format!("cannot read the SSH key {}", file.display()))
            .hint("it must be an Ed25519, ECDSA, RSA or FIDO2 key in OpenSSH's format")
    })?;
    Ok(Candidate { key, file: file.to_owned(), temporary: false })
}

fn derived(file: &Path) -> Option<PublicKey> {
    let output = Command::new("ssh-keygen")
        .args(["-y", "-f"])
        .arg(file)
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    public(&String::from_utf8(output.stdout).ok()?)
}

/// Returns the keys of the agent, then those in ~/.ssh.
fn present(world: &World) -> Result<Vec<Candidate>, Failure> {
    let mut candidates = Vec::new();
    let agent =
        Command::new("ssh-add").arg("-L").stderr(Stdio::null()).stdin(Stdio::null()).output();
    let agent = agent.map(|output| output.stdout).unwrap_or_default();
    for line in String::from_utf8_lossy(&agent).lines() {
        if let Some(key) = public(line) {
            candidates.push(held(key, line, world.evidence().state())?);
        }
    }
    let home = world.environment.home.as_ref().map(|home| home.join(".ssh"));
    let entries = home.and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| is_identity(path)).collect();
    files.sort();
    for file in files {
        let key = std::fs::read_to_string(&file).ok().and_then(|text| public(&text));
        let new = key.filter(|key| candidates.iter().all(|candidate| candidate.key != *key));
        candidates.extend(new.map(|key| Candidate { key, file, temporary: false }));
    }
    Ok(candidates)
}

/// Writes the public half of a key that the agent holds: ssh-keygen names a key by a file.
fn held(key: PublicKey, line: &str, state: &Path) -> Result<Candidate, Failure> {
    let file = state.join(format!("signer-{}.pub", uuid::Uuid::now_v7()));
    let unwritable = format!("cannot write {}", file.display());
    std::fs::create_dir_all(state)
        .and_then(|()| std::fs::write(&file, format!("{line}\n")))
        .map_err(|e| Failure::new(unwritable).because(e))?;
    Ok(Candidate { key, file, temporary: true })
}

fn is_identity(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("id_") && name.ends_with(".pub")
}

/// Reads a line of an authorized_keys file or of a `.pub`.
fn public(line: &str) -> Option<PublicKey> {
    let mut fields = line.split_ascii_whitespace();
    let kind = fields.next()?;
    let blob = bg_recorder::base64::decode(fields.next()?)?;
    PublicKey::parse(&blob).filter(|key| key.type_name() == kind)
}
