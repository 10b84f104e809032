//! SSH public keys, and what each kind of key signs (FORMAT.md 5.1).
//!
//! The `ssh-key` crate is not used: without its own cryptography it does not know ECDSA keys at all, and it takes
//! signatures with another version or a `reserved` part. aws-lc-rs stays the one provider.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use sha2::{Digest as _, Sha256};

use super::wire::Wire;

/// A public key of a kind that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
    kind: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Ed25519([u8; 32]),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
    SkEd25519([u8; 32], Vec<u8>),
    SkP256(Vec<u8>, Vec<u8>),
}

/// What a signature shows of the person who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The key is software, which cannot know.
    Unknown,
    /// Somebody touched the authenticator.
    Touched,
    /// The authenticator checked who (a PIN, a fingerprint).
    Verified,
}

impl PublicKey {
    /// Reads a key blob to its last byte.
    pub fn parse(blob: &[u8]) -> Option<Self> {
        let mut wire = Wire::new(blob);
        let kind = match wire.text()? {
            ED25519_TYPE => Material::Ed25519(wire.string()?.try_into().ok()?),
            P256_TYPE => Material::P256(point(&mut wire, "nistp256", 65)?),
            P384_TYPE => Material::P384(point(&mut wire, "nistp384", 97)?),
            RSA_TYPE => rsa(&mut wire)?,
            SK_ED25519_TYPE => {
                Material::SkEd25519(wire.string()?.try_into().ok()?, wire.string()?.to_vec())
            }
            SK_P256_TYPE => {
                Material::SkP256(point(&mut wire, "nistp256", 65)?, wire.string()?.to_vec())
            }
            _ => return None,
        };
        wire.end()?;
        Some(Self { blob: blob.to_vec(), kind })
    }

    /// Returns whether a key type is one that may sign.
    pub fn is_type(name: &str) -> bool {
        [ED25519_TYPE, P256_TYPE, P384_TYPE, RSA_TYPE, SK_ED25519_TYPE, SK_P256_TYPE]
            .contains(&name)
    }

    /// Returns the type's name.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Material::Ed25519(_) => ED25519_TYPE,
            Material::P256(_) => P256_TYPE,
            Material::P384(_) => P384_TYPE,
            Material::Rsa { .. } => RSA_TYPE,
            Material::SkEd25519(..) => SK_ED25519_TYPE,
            Material::SkP256(..) => SK_P256_TYPE,
        }
    }

    /// Returns the bytes that the key is known by.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Returns the fingerprint as ssh-keygen prints it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", data_encoding::BASE64_NOPAD.encode(&Sha256::digest(&self.blob)))
    }

    /// Checks a signature blob over `signed`.
    ///
    /// # Errors
    /// When it is none of this key's.
    pub fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<Presence, KeyError> {
        let mut wire = Wire::new(signature);
        let algorithm = wire.text().ok_or(KeyError::Malformed)?;
        let value = wire.string().ok_or(KeyError::Malformed)?;
        let trailer = Trailer::read(&mut wire, &self.kind).ok_or(KeyError::Malformed)?;
        wire.end().ok_or(KeyError::Malformed)?;
        if algorithm != self.type_name() && !matches!(self.kind, Material::Rsa { .. }) {
            return Err(KeyError::Algorithm(algorithm.to_owned()));
        }
        let signed = trailer.signed(&self.kind, signed);
        let valid = match &self.kind {
            Material::Ed25519(key) | Material::SkEd25519(key, _) => {
                UnparsedPublicKey::new(&ED25519, key).verify(&signed, value).is_ok()
            }
            Material::P256(key) | Material::SkP256(key, _) => {
                let value = fixed(value, 32).ok_or(KeyError::Malformed)?;
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
                    .verify(&signed, &value)
                    .is_ok()
            }
            Material::P384(key) => {
                let value = fixed(value, 48).ok_or(KeyError::Malformed)?;
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key)
                    .verify(&signed, &value)
                    .is_ok()
            }
            Material::Rsa { n, e } => rsa_verifies(n, e, algorithm, &signed, value)?,
        };
        if valid { trailer.presence() } else { Err(KeyError::Invalid) }
    }
}

/// What an authenticator adds: flags and a counter. Other kinds have none.
struct Trailer(Option<(u8, u32)>);

impl Trailer {
    fn read(wire: &mut Wire<'_>, kind: &Material) -> Option<Self> {
        match kind {
            Material::SkEd25519(..) | Material::SkP256(..) => {
                Some(Self(Some((wire.u8()?, wire.u32()?))))
            }
            _ => Some(Self(None)),
        }
    }

    /// What is signed in the end (PROTOCOL.u2f of OpenSSH).
    fn signed(&self, kind: &Material, signed: &[u8]) -> Vec<u8> {
        match (kind, self.0) {
            (
                Material::SkEd25519(_, application) | Material::SkP256(_, application),
                Some((flags, counter)),
            ) => {
                let mut bytes = Sha256::digest(application).to_vec();
                bytes.push(flags);
                bytes.extend(counter.to_be_bytes());
                bytes.extend(Sha256::digest(signed));
                bytes
            }
            _ => signed.to_vec(),
        }
    }

    /// An authenticator can sign without anybody there, and `ssh-keygen -Y verify` takes that.
    fn presence(&self) -> Result<Presence, KeyError> {
        match self.0 {
            None => Ok(Presence::Unknown),
            Some((flags, _)) if flags & USER_PRESENT == 0 => Err(KeyError::Untouched),
            Some((flags, _)) if flags & USER_VERIFIED == 0 => Ok(Presence::Touched),
            Some(_) => Ok(Presence::Verified),
        }
    }
}

/// Why a signature is not a key's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Its bytes are not those of a signature.
    #[error("its bytes are not those of a signature")]
    Malformed,
    /// The algorithm is not one of the key's.
    #[error("the algorithm {0:?} is not one that its key may use")]
    Algorithm(String),
    /// An RSA key is too short, too long, or has an exponent that nobody uses.
    #[error("the RSA key is not of 2,048 to 8,192 bits")]
    Weak,
    /// It does not verify.
    #[error("it does not verify")]
    Invalid,
    /// Nobody touched the authenticator.
    #[error("made without touch: nobody was at the authenticator")]
    Untouched,
}

fn point(wire: &mut Wire<'_>, curve: &str, len: usize) -> Option<Vec<u8>> {
    let named = wire.text()? == curve;
    let point = wire.string()?;
    (named && point.len() == len && point.first() == Some(&4)).then(|| point.to_vec())
}

fn rsa(wire: &mut Wire<'_>) -> Option<Material> {
    let e = wire.mpint()?.to_vec();
    let n = wire.mpint()?.to_vec();
    Some(Material::Rsa { n, e })
}

fn rsa_verifies(
    n: &[u8],
    e: &[u8],
    algorithm: &str,
    signed: &[u8],
    value: &[u8],
) -> Result<bool, KeyError> {
    let parameters = match algorithm {
        "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
        "rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
        other => return Err(KeyError::Algorithm(other.to_owned())),
    };
    let bits = (n.len() * 8) as u64 - u64::from(n.first().map_or(0, |byte| byte.leading_zeros()));
    let odd = e.last().is_some_and(|byte| byte & 1 == 1) && e.len() <= 4 && e != [1];
    if !(2_048..=8_192).contains(&bits) || !odd {
        return Err(KeyError::Weak);
    }
    let zeros = n.len().checked_sub(value.len()).ok_or(KeyError::Malformed)?;
    let value = [&vec![0; zeros], value].concat();
    Ok(RsaPublicKeyComponents { n, e }.verify(parameters, signed, &value).is_ok())
}

/// Reads mpints r and s into two values of `len` bytes each.
fn fixed(value: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut wire = Wire::new(value);
    let mut both = Vec::with_capacity(2 * len);
    for digits in [wire.mpint()?, wire.mpint()?] {
        both.resize(both.len() + len.checked_sub(digits.len())?, 0);
        both.extend(digits);
    }
    wire.end()?;
    Some(both)
}

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 4;
const ED25519_TYPE: &str = "ssh-ed25519";
const P256_TYPE: &str = "ecdsa-sha2-nistp256";
const P384_TYPE: &str = "ecdsa-sha2-nistp384";
const RSA_TYPE: &str = "ssh-rsa";
const SK_ED25519_TYPE: &str = "sk-ssh-ed25519@openssh.com";
const SK_P256_TYPE: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
