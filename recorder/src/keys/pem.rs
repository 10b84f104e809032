//! Key files: PEM, read with care and written once.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use pem_rfc7468::LineEnding;
use zeroize::Zeroizing;

use crate::format::sign::{SignError, SigningKey, SigningPublic};
use crate::store::dir::read_limited;

/// Reads a private signing key (PKCS#8 PEM).
///
/// # Errors
/// When the file is missing, unreadable, or no P-256 key.
pub fn read_signing(path: &Path) -> Result<SigningKey, LocalKeyError> {
    SigningKey::from_pkcs8(&read_pem(path, PRIVATE)?)
        .map_err(|_| LocalKeyError::NotAKey(path.into()))
}

/// Reads a public signing key (SubjectPublicKeyInfo PEM), for a verifier to trust.
///
/// # Errors
/// When the file is missing, unreadable, or no P-256 key.
pub fn read_signing_public(path: &Path) -> Result<SigningPublic, LocalKeyError> {
    SigningPublic::from_spki(&read_pem(path, PUBLIC)?)
        .map_err(|_| LocalKeyError::NotAKey(path.into()))
}

/// Why key files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalKeyError {
    /// The file cannot be read.
    #[error("cannot read the key {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key directory cannot be made.
    #[error("cannot make the keys in {path}")]
    NotMade {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{0} is not a key of the kind that belongs there")]
    NotAKey(PathBuf),
    /// The library refused.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Reads a key file that has this label.
pub(crate) fn read_pem(path: &Path, label: &str) -> Result<Zeroizing<Vec<u8>>, LocalKeyError> {
    let unreadable = |source| LocalKeyError::Unreadable { path: path.into(), source };
    let pem = Zeroizing::new(read_limited(path, KEY_FILE_MAX).map_err(unreadable)?);
    match pem_rfc7468::decode_vec(&pem) {
        Ok((found, der)) if found == label => Ok(Zeroizing::new(der)),
        _ => Err(LocalKeyError::NotAKey(path.into())),
    }
}

/// Writes a key file that was not there.
pub(crate) fn write_pem(path: &Path, label: &str, der: &[u8]) -> io::Result<()> {
    let pem = pem_rfc7468::encode_string(label, LineEnding::LF, der).map_err(io::Error::other)?;
    let pem = Zeroizing::new(pem);
    let mode = if label == PRIVATE { 0o600 } else { 0o644 };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()
}

/// The label of a private key (PKCS#8).
pub(crate) const PRIVATE: &str = "PRIVATE KEY";
/// The label of a public key (SubjectPublicKeyInfo).
pub(crate) const PUBLIC: &str = "PUBLIC KEY";
const KEY_FILE_MAX: u64 = 65_536;
