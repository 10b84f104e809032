//! People with SSH keys of every kind, who sign requests and approvals. Their keys are fixed: nobody trusts them.

use std::path::Path;

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RsaKeyPair,
};
use bg_recorder::approval::sshsig::{Hash, armor, signed_data};
use bg_recorder::approval::wire::put;
use bg_recorder::chain::Digest;
use data_encoding::BASE64;

/// A private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// From a seed of that byte.
    Ed25519(u8),
    /// With that byte repeated as its number.
    P256(u8),
    /// Likewise.
    P384(u8),
    /// 2,048 bits, in `vectors/keys/carol.pk8`.
    Rsa,
    /// An authenticator that sets these flags.
    SkEd25519(u8, u8),
    /// Likewise.
    SkP256(u8, u8),
}

impl Key {
    /// Returns the public key's blob.
    pub fn blob(self) -> Vec<u8> {
        let curve = |name: &str, point: Vec<u8>| vec![name.as_bytes().to_vec(), point];
        let parts = match self {
            Self::Ed25519(seed) | Self::SkEd25519(seed, _) => {
                vec![ed25519(seed).public_key().as_ref().to_vec()]
            }
            Self::P256(byte) | Self::SkP256(byte, _) => {
                curve("nistp256", point(&ECDH_P256, &[byte; 32]))
            }
            Self::P384(byte) => curve("nistp384", point(&ECDH_P384, &[byte; 48])),
            Self::Rsa => {
                // RFC 8017, A.1.1: SEQUENCE { INTEGER n, INTEGER e }, here with e = 65537 and 257 bytes of n.
                let der = rsa().public_key().as_ref().to_vec();
                vec![vec![1, 0, 1], der[8..8 + 257].to_vec()]
            }
        };
        let mut blob = Vec::new();
        put(&mut blob, self.kind().as_bytes());
        parts.iter().for_each(|part| put(&mut blob, part));
        if matches!(self, Self::SkEd25519(..) | Self::SkP256(..)) {
            put(&mut blob, APPLICATION);
        }
        blob
    }

    /// Returns the public key as a line of an authorized_keys file has it.
    pub fn line(self) -> String {
        format!("{} {}", self.kind(), BASE64.encode(&self.blob()))
    }

    /// Signs in a namespace; the signature is armored.
    pub fn sign(self, namespace: &str, message: &[u8]) -> String {
        self.sign_hashed(namespace, Hash::Sha512, message)
    }

    /// Signs with a choice of hash.
    pub fn sign_hashed(self, namespace: &str, hash: Hash, message: &[u8]) -> String {
        let signed = signed_data(namespace, hash, message);
        armor(&self.blob(), namespace, hash, &self.signature(hash, &signed))
    }

    /// Returns the signature blob over bytes.
    pub fn signature(self, hash: Hash, signed: &[u8]) -> Vec<u8> {
        let flags = match self {
            Self::SkEd25519(_, flags) | Self::SkP256(_, flags) => Some(flags),
            _ => None,
        };
        let signed = flags.map_or_else(|| signed.to_vec(), |flags| authenticator(flags, signed));
        let value = match self {
            Self::Ed25519(seed) | Self::SkEd25519(seed, _) => {
                ed25519(seed).sign(&signed).as_ref().to_vec()
            }
            Self::P256(byte) | Self::SkP256(byte, _) => {
                ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDH_P256, &[byte; 32], &signed)
            }
            Self::P384(byte) => {
                ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDH_P384, &[byte; 48], &signed)
            }
            Self::Rsa => {
                let key = rsa();
                let mut value = vec![0; key.public_modulus_len()];
                let encoding =
                    if hash == Hash::Sha256 { &RSA_PKCS1_SHA256 } else { &RSA_PKCS1_SHA512 };
                key.sign(encoding, &SystemRandom::new(), &signed, &mut value).unwrap();
                value
            }
        };
        let mut blob = Vec::new();
        let algorithm = match (self, hash) {
            (Self::Rsa, Hash::Sha256) => "rsa-sha2-256",
            (Self::Rsa, Hash::Sha512) => "rsa-sha2-512",
            _ => self.kind(),
        };
        put(&mut blob, algorithm.as_bytes());
        put(&mut blob, &value);
        if let Some(flags) = flags {
            blob.push(flags);
            blob.extend(COUNTER.to_be_bytes());
        }
        blob
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ssh-ed25519",
            Self::P256(_) => "ecdsa-sha2-nistp256",
            Self::P384(_) => "ecdsa-sha2-nistp384",
            Self::Rsa => "ssh-rsa",
            Self::SkEd25519(..) => "sk-ssh-ed25519@openssh.com",
            Self::SkP256(..) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }
}

fn ed25519(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn rsa() -> RsaKeyPair {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys/carol.pk8");
    RsaKeyPair::from_pkcs8(&std::fs::read(file).unwrap()).unwrap()
}

fn point(curve: &'static agreement::Algorithm, number: &[u8]) -> Vec<u8> {
    let key = agreement::PrivateKey::from_private_key(curve, number).unwrap();
    key.compute_public_key().unwrap().as_ref().to_vec()
}

/// Returns mpints r and s, one after the other.
fn ecdsa(
    algorithm: &'static EcdsaSigningAlgorithm,
    curve: &'static agreement::Algorithm,
    number: &[u8],
    signed: &[u8],
) -> Vec<u8> {
    let key =
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, number, &point(curve, number))
            .unwrap();
    let signature = key.sign(&SystemRandom::new(), signed).unwrap();
    let (r, s) = signature.as_ref().split_at(number.len());
    let mut value = Vec::new();
    put(&mut value, &mpint(r));
    put(&mut value, &mpint(s));
    value
}

fn mpint(digits: &[u8]) -> Vec<u8> {
    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
    let digits = &digits[zeros..];
    let sign: &[u8] = if digits.first().is_some_and(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    [sign, digits].concat()
}

/// What an authenticator signs (PROTOCOL.u2f of OpenSSH).
fn authenticator(flags: u8, signed: &[u8]) -> Vec<u8> {
    let digest = |bytes: &[u8]| {
        data_encoding::HEXLOWER.decode(Digest::of(bytes).to_string().as_bytes()).unwrap()
    };
    [&digest(APPLICATION)[..], &[flags], &COUNTER.to_be_bytes(), &digest(signed)].concat()
}

const APPLICATION: &[u8] = b"ssh:";
const COUNTER: u32 = 7;
