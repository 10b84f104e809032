//! Key files instead of KMS: the same envelope, for the practice world and for escrow.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use zeroize::Zeroizing;

use crate::format::base64;
use crate::format::chain::Digest;
use crate::format::genesis::{WRAP_ALG, WrapKey};
use crate::format::sign::SigningKey;
use crate::keys::pem::{LocalKeyError, PRIVATE, PUBLIC, read_pem, read_signing, write_pem};
use crate::keys::{
    KeyError, KeyOpener, KeyRing, KeyService, MintedKey, Secret, Wrap, WrapContext, ours_of,
};

/// A public key that epoch keys are wrapped to: whoever holds its private half can open.
pub struct Wrapper {
    named: WrapKey,
    key: OaepPublicEncryptingKey,
}

impl Wrapper {
    /// Reads a public RSA key (SubjectPublicKeyInfo PEM) that is to be called `name` on the tape.
    ///
    /// # Errors
    /// When the file is missing, unreadable, or no RSA key.
    pub fn from_file(path: &Path, name: &str) -> Result<Self, LocalKeyError> {
        let spki = read_pem(path, PUBLIC)?;
        let key = PublicEncryptingKey::from_der(&spki)
            .ok()
            .and_then(|key| OaepPublicEncryptingKey::new(key).ok())
            .ok_or_else(|| LocalKeyError::NotAKey(path.into()))?;
        let spki_sha256 = Some(Digest::of(&spki));
        Ok(Self {
            named: WrapKey { name: name.to_owned(), alg: WRAP_ALG.into(), spki_sha256 },
            key,
        })
    }

    /// Returns what the genesis says of it.
    pub fn named(&self) -> &WrapKey {
        &self.named
    }

    /// Wraps an epoch key, bound to `context`.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn wrap(&self, key: &Secret, context: &WrapContext) -> Result<Wrap, KeyError> {
        let mut wrapped = vec![0; self.key.ciphertext_size()];
        let wrapped = self
            .key
            .encrypt(&OAEP_SHA256_MGF1SHA256, key.expose(), &mut wrapped, Some(&context.label()))
            .map_err(|_| KeyError::Unavailable("RSA-OAEP refused".into()))?;
        let WrapKey { name, alg, .. } = self.named.clone();
        Ok(Wrap { key: name, alg, wrapped: base64::encode(wrapped) })
    }
}

impl std::fmt::Debug for Wrapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wrapper({})", self.named.name)
    }
}

/// What the recording host holds: a public key to wrap to, and a key to sign with. It cannot open a tape.
pub struct LocalKeys {
    ring: KeyRing,
    wrap: Wrapper,
    sign: SigningKey,
}

impl LocalKeys {
    /// Reads the keys of a directory, and makes them first when there is no such directory.
    ///
    /// # Errors
    /// When files are missing, unreadable, or no keys.
    pub fn open_or_create(dir: &Path) -> Result<Self, LocalKeyError> {
        if !dir.exists() {
            create(dir)?;
        }
        Self::open(dir)
    }

    fn open(dir: &Path) -> Result<Self, LocalKeyError> {
        let wrap = Wrapper::from_file(&dir.join(WRAP_FILE), WRAP_NAME)?;
        let sign = read_signing(&dir.join(SIGN_FILE))?;
        let ring = KeyRing {
            sign_name: SIGN_NAME.into(),
            sign: sign.public()?,
            wrap: vec![wrap.named().clone()],
            standby: None,
            also: Vec::new(),
        };
        Ok(Self { ring, wrap, sign })
    }
}

impl std::fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalKeys(..)")
    }
}

impl KeyService for LocalKeys {
    fn ring(&self) -> &KeyRing {
        &self.ring
    }

    fn mint(&self, context: &WrapContext) -> Result<MintedKey, KeyError> {
        let key = Secret::generate()?;
        let wrap = self.wrap.wrap(&key, context)?;
        Ok(MintedKey { key, wraps: vec![wrap], alone: None })
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.sign.sign(text)?)
    }
}

/// What an auditor holds: the private half of a wrapping key, of the practice world or of escrow.
pub struct LocalOpener {
    spki_sha256: Digest,
    key: OaepPrivateDecryptingKey,
}

impl LocalOpener {
    /// Reads a private key file (PKCS#8 PEM).
    ///
    /// # Errors
    /// When the file is missing, unreadable, or no RSA key.
    pub fn from_file(path: &Path) -> Result<Self, LocalKeyError> {
        let der = read_pem(path, PRIVATE)?;
        let not_a_key = || LocalKeyError::NotAKey(path.into());
        let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(|_| not_a_key())?;
        let spki =
            AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).map_err(|_| not_a_key())?;
        let spki_sha256 = Digest::of(spki.as_ref());
        Ok(Self { spki_sha256, key: OaepPrivateDecryptingKey::new(key).map_err(|_| not_a_key())? })
    }
}

impl std::fmt::Debug for LocalOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalOpener({}, ..)", self.spki_sha256)
    }
}

impl KeyOpener for LocalOpener {
    fn open(
        &self,
        context: &WrapContext,
        keys: &[WrapKey],
        wraps: &[Wrap],
    ) -> Result<Secret, KeyError> {
        let ours = |key: &WrapKey| key.alg == WRAP_ALG && key.spki_sha256 == Some(self.spki_sha256);
        let wrap = ours_of(keys, wraps, ours)?;
        let wrapped = base64::decode(&wrap.wrapped).ok_or(KeyError::DoesNotOpen)?;
        let mut plain = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let key = self
            .key
            .decrypt(&OAEP_SHA256_MGF1SHA256, &wrapped, &mut plain, Some(&context.label()))
            .map_err(|_| KeyError::DoesNotOpen)?;
        <[u8; 32]>::try_from(&*key).map(Secret::new).map_err(|_| KeyError::DoesNotOpen)
    }
}

/// Makes all keys in a directory of their own, which then takes its name at once: of two first sessions that
/// start together, one makes the keys and both use them.
fn create(dir: &Path) -> Result<(), LocalKeyError> {
    let fresh = dir.with_extension(format!("new-{}", std::process::id()));
    let not_made = |source| LocalKeyError::NotMade { path: dir.into(), source };
    write_keys(&fresh).map_err(not_made)?;
    match fs::rename(&fresh, dir) {
        Ok(()) => Ok(()),
        Err(_) if dir.exists() => fs::remove_dir_all(&fresh).map_err(not_made),
        Err(e) => Err(not_made(e)),
    }
}

fn write_keys(dir: &Path) -> io::Result<()> {
    let refused = |_| io::Error::other("the library refused");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let open = PrivateDecryptingKey::generate(KeySize::Rsa3072).map_err(refused)?;
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&open).map_err(refused)?;
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(&open.public_key()).map_err(refused)?;
    write_pem(&dir.join(OPEN_FILE), PRIVATE, private.as_ref())?;
    write_pem(&dir.join(WRAP_FILE), PUBLIC, public.as_ref())?;
    let sign = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(refused)?;
    let private = sign.to_pkcs8v1().map_err(refused)?;
    let public = SigningKey::from_pkcs8(private.as_ref())
        .and_then(|k| k.public())
        .map_err(io::Error::other)?;
    write_pem(&dir.join(SIGN_FILE), PRIVATE, private.as_ref())?;
    write_pem(&dir.join(TRUST_FILE), PUBLIC, public.spki())
}

/// The private key that opens tapes: an auditor's, never read by a recorder.
pub const OPEN_FILE: &str = "open.pem";
/// The public key that epoch keys are wrapped to.
pub const WRAP_FILE: &str = "wrap.pub.pem";
/// The private signing key.
pub const SIGN_FILE: &str = "sign.pem";
/// The public signing key that verifiers trust.
pub const TRUST_FILE: &str = "sign.pub.pem";

const WRAP_NAME: &str = "bg-shell/practice-open";
const SIGN_NAME: &str = "bg-shell/practice-sign";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::chain::Link;
    use crate::format::session::SessionId;

    #[test]
    fn a_minted_key_opens_under_its_own_context_only() {
        let dir = tempfile::tempdir().unwrap();
        let keys = LocalKeys::open_or_create(&dir.path().join("keys")).unwrap();
        let context =
            WrapContext { session: SessionId::mint(), epoch: 0, link: Link::genesis(b"") };
        let minted = keys.mint(&context).unwrap();
        let opener = LocalOpener::from_file(&dir.path().join("keys/open.pem")).unwrap();
        assert_eq!(
            opener.open(&context, &keys.ring().wrap, &minted.wraps).unwrap().expose(),
            minted.key.expose()
        );
        let other = WrapContext { epoch: 1, ..context };
        assert!(matches!(
            opener.open(&other, &keys.ring().wrap, &minted.wraps),
            Err(KeyError::DoesNotOpen)
        ));
    }

    #[test]
    fn the_recorder_never_reads_the_opening_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        drop(LocalKeys::open_or_create(&keys).unwrap());
        fs::remove_file(keys.join(OPEN_FILE)).unwrap();
        assert!(LocalKeys::open_or_create(&keys).is_ok());
    }
}
