//! What the auditor has: where the evidence is, whom to trust, which key opens.

use std::path::{Path, PathBuf};

use bg_aws::archive::{Archive, SCHEME};
use bg_aws::edge::Edge;
use bg_aws::evidence::EvidenceConfig;
use bg_aws::kms::signing_public;
use bg_aws::kms_open::KmsOpener;
use bg_recorder::genesis::{Genesis, KMS_WRAP_ALG};
use bg_recorder::keys::KeyOpener;
use bg_recorder::keys::local::{LocalOpener, OPEN_FILE, TRUST_FILE};
use bg_recorder::keys::pem::read_signing_public;
use bg_recorder::note::{Note, NoteKind};
use bg_recorder::practice::Practice;
use bg_recorder::session::ObjectName;
use bg_recorder::sign::SigningPublic;
use bg_recorder::tape::Tape;

use crate::config::Config;
use crate::evidence::catalog::{Catalog, Place};
use crate::evidence::known::Known;
use crate::failure::Failure;

/// What the command line, the configuration and the environment give.
#[derive(Debug)]
pub struct Auditor {
    /// The practice world, where there can be one.
    pub practice: Option<Practice>,
    /// Where evidence is, and how AWS is reached.
    pub config: Config,
    /// Files of trusted signing keys.
    pub trust: Vec<PathBuf>,
    /// A KMS key whose public half is trusted, where no file is given.
    pub kms_trust: Option<String>,
    /// The file of the opening key, where one was given.
    pub key: Option<PathBuf>,
    /// The allowed_signers file to compare those of tapes with, where one was given.
    pub allowed_signers: Option<PathBuf>,
}

impl Auditor {
    /// Returns the tapes of the configured store, or of the practice world.
    ///
    /// # Errors
    /// When there can be none.
    pub fn catalog(&self) -> Result<Catalog, Failure> {
        if self.config.evidence.store.is_some() {
            return Ok(Catalog::new(self.archive(&self.config.evidence)?));
        }
        let practice = self.practice.as_ref().ok_or_else(homeless)?;
        Ok(Catalog::new(Archive::dir(practice.evidence())))
    }

    /// Finds the tape that the command line names.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn place(&self, name: &str) -> Result<Place, Failure> {
        let path = Path::new(name);
        if name.starts_with(SCHEME) {
            let store = Some(name.to_owned());
            let archive =
                self.archive(&EvidenceConfig { store, ..self.config.evidence.clone() })?;
            return Place::in_bucket(archive);
        }
        if name.contains('/') || path.is_dir() {
            Place::at(path)
        } else {
            self.catalog()?.find(name)
        }
    }

    /// Returns the signing keys that are trusted: those of files, or KMS's, or the state directory's;
    /// and the standby keys that are configured. None at all
    /// is not an error: the verdict says it.
    ///
    /// # Errors
    /// When a key is unreadable.
    pub fn trusted(&self) -> Result<Vec<SigningPublic>, Failure> {
        let mut files = self.trust.clone();
        let mut trusted = Vec::new();
        if files.is_empty() {
            match self.kms_trust.as_ref().or(self.config.evidence.signing_key.as_ref()) {
                Some(key) => trusted.push(self.kms_trusted(key)?),
                None => files.extend(self.key_file(TRUST_FILE).filter(|file| file.exists())),
            }
            files.extend(self.config.evidence.trusted.iter().cloned());
        }
        let hint =
            "--trust takes the signing key's public half, a PEM file such as keys/sign.pub.pem";
        let failed = |e| Failure::new("cannot use a trusted key").because(e).hint(hint);
        for file in &files {
            trusted.push(read_signing_public(file).map_err(failed)?);
        }
        Ok(trusted)
    }

    /// Returns whom the auditor knows, to be compared with who signed for a tape's access.
    pub fn known(&self) -> Known {
        Known { file: self.allowed_signers.clone(), roles: self.config.roles.clone() }
    }

    fn kms_trusted(&self, key: &str) -> Result<SigningPublic, Failure> {
        signing_public(&self.edge()?, key).map_err(|e| {
            Failure::new(format!("cannot get the signing key {key} from KMS"))
                .because(e)
                .hint("--trust FILE needs no right in KMS: the public key as a PEM file")
        })
    }

    /// Returns what opens a tape: the key file that was given, KMS where the tape is wrapped to a key of it, or
    /// the state directory's key file.
    ///
    /// # Errors
    /// When there is none, or it is unreadable.
    pub fn opener(&self, tape: &Tape<'_>) -> Result<Box<dyn KeyOpener>, Failure> {
        if self.key.is_none() && wrapped_by_kms(tape) {
            return Ok(Box::new(KmsOpener::new(&self.edge()?)));
        }
        let file = self.key.clone().or_else(|| self.key_file(OPEN_FILE)).ok_or_else(homeless)?;
        let hint = "--key FILE names the opening key (PEM); `bg-replay verify` needs none";
        let opener = LocalOpener::from_file(&file).map_err(|e| {
            Failure::new("cannot open the tape without its opening key").because(e).hint(hint)
        })?;
        Ok(Box::new(opener))
    }

    fn key_file(&self, name: &str) -> Option<PathBuf> {
        let state = self.config.evidence.state.as_ref();
        let keys = state.map(|state| state.join("keys"));
        Some(keys.or_else(|| self.practice.as_ref().map(Practice::keys))?.join(name))
    }

    fn archive(&self, evidence: &EvidenceConfig) -> Result<Archive, Failure> {
        Archive::open(evidence, &self.config.aws).map_err(|e| {
            Failure::new("cannot use the evidence store")
                .because(e)
                .hint("see [evidence] and [aws] in the configuration, or --store")
        })
    }

    fn edge(&self) -> Result<Edge, Failure> {
        let cannot =
            |e| Failure::new("cannot call AWS").because(e).hint("see [aws] in the configuration");
        Edge::open(&self.config.aws).map_err(cannot)
    }
}

/// Returns whether the genesis, which was verified, names a KMS key.
fn wrapped_by_kms(tape: &Tape<'_>) -> bool {
    let genesis = tape.get(ObjectName::Genesis).ok().and_then(|bytes| {
        let note = Note::parse(NoteKind::Genesis, &bytes).ok()?;
        note.read::<Genesis>().ok()
    });
    genesis.is_some_and(|genesis| genesis.keys.wrap.iter().any(|key| key.alg == KMS_WRAP_ALG))
}

fn homeless() -> Failure {
    Failure::new("there is no practice world: neither XDG_STATE_HOME nor HOME is an absolute path")
        .hint("set HOME, or name the session's directory, --trust FILE and --key FILE")
}
