//! The keys in KMS, as a recording host may use them: data keys under the encryption context of FORMAT.md 7, and
//! signatures. What it could open with is not here.

use std::iter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::Builder;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use bg_recorder::base64;
use bg_recorder::cause::chain;
use bg_recorder::chain::Digest;
use bg_recorder::genesis::{KMS_WRAP_ALG, WrapKey};
use bg_recorder::keys::local::Wrapper;
use bg_recorder::keys::pem::{LocalKeyError, read_signing_public};
use bg_recorder::keys::{KeyError, KeyRing, KeyService, MintedKey, Secret, Wrap, WrapContext};
use bg_recorder::low_s;
use bg_recorder::sign::SigningPublic;
use bg_recorder::standby::Standby;
use zeroize::Zeroizing;

use crate::edge::Edge;
use crate::fault::{CallError, CallKind};
use crate::patience::Patience;

/// Which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsConfig {
    /// The symmetric key that data keys come from.
    pub data: String,
    /// The ECC_NIST_P256 key that signs.
    pub sign: String,
    /// A PEM file of an RSA public key.
    pub escrow: Option<PathBuf>,
    /// A PEM file of a P-256 private key: what signs where KMS cannot.
    pub standby: Option<PathBuf>,
    /// PEM files of P-256 public keys: the standby keys of other hosts.
    pub trusted: Vec<PathBuf>,
}

/// What a recording host may do: kms:GenerateDataKey and kms:Sign. While KMS is away, epoch keys are made here for the
/// escrow key alone, and what began so is signed by the standby key.
#[derive(Debug)]
pub struct KmsKeys {
    ring: KeyRing,
    escrow: Option<Wrapper>,
    client: Client,
    edge: Edge,
    /// Why this began without KMS, if it did.
    began_alone: Option<String>,
}

impl KmsKeys {
    /// Opens the keys: asks for the public half of the signing key. Where the data key is not named by its ARN, it
    /// is asked for too, which needs kms:DescribeKey: what stands on a tape must not be an alias, which moves.
    ///
    /// # Errors
    /// When KMS does not give them, they are not for this, or the escrow key is unreadable.
    pub fn open(config: &KmsConfig, edge: &Edge) -> Result<Self, KeyError> {
        let files = Files::read(config)?;
        let client = client(edge);
        let (sign, data) = edge.wait(async {
            tokio::join!(signing_key(&client, &config.sign), data_key(&client, &config.data))
        });
        let ((sign_name, sign), data) = (sign?, data?);
        let wrap = files.wrap(Some(data));
        let Files { escrow, standby, trusted } = files;
        let ring = KeyRing { sign_name, sign, wrap, standby, also: trusted };
        Ok(Self { ring, escrow, client, edge: edge.clone(), began_alone: None })
    }

    /// Begins without KMS, because of `why`: the standby key signs to the end, and epoch keys are for the escrow key
    /// alone until KMS answers. Nothing is called.
    ///
    /// # Errors
    /// When one of the two keys is not there.
    pub fn alone(config: &KmsConfig, edge: &Edge, why: &str) -> Result<Self, KeyError> {
        let files = Files::read(config)?;
        let (Some(standby), true) = (&files.standby, files.escrow.is_some()) else {
            return Err(KeyError::Unavailable(
                "without KMS it takes an escrow key and a standby key".into(),
            ));
        };
        let sign_name = standby.named().name;
        let sign = standby.public().clone();
        // An alias moves: such a key comes onto a tape when KMS says which it is, so not onto this one.
        let wrap = files.wrap(Some(config.data.clone()).filter(|data| is_arn(data)));
        let Files { escrow, standby, trusted } = files;
        let ring = KeyRing { sign_name, sign, wrap, standby, also: trusted };
        let client = client(edge);
        Ok(Self { ring, escrow, client, edge: edge.clone(), began_alone: Some(why.to_owned()) })
    }

    fn data_key(&self) -> Result<&str, KeyError> {
        let data = self.ring.wrap.first().filter(|key| key.alg == KMS_WRAP_ALG);
        data.map(|key| key.name.as_str()).ok_or_else(|| KeyError::Unavailable("no data key".into()))
    }

    async fn minted(&self, context: &WrapContext) -> Result<MintedKey, KeyError> {
        let (key, wrap) = self.generate(self.data_key()?, context).await?;
        let escrow = self.escrow.as_ref().map(|escrow| escrow.wrap(&key, context)).transpose()?;
        Ok(MintedKey { key, wraps: iter::once(wrap).chain(escrow).collect(), alone: None })
    }

    async fn generate(
        &self,
        name: &str,
        context: &WrapContext,
    ) -> Result<(Secret, Wrap), KeyError> {
        let mut request = self.client.generate_data_key().key_id(name).number_of_bytes(KEY_LEN);
        for (pair, value) in context.pairs() {
            request = request.encryption_context(pair, value);
        }
        let made = request.send().await.map_err(|e| refused("kms:GenerateDataKey", &e))?;
        // The SDK's own copies, the answer's text among them, are not in our hands; this one is wiped.
        let plain = Zeroizing::new(made.plaintext.map(Blob::into_inner).unwrap_or_default());
        let key = <[u8; 32]>::try_from(plain.as_slice())
            .map_err(|_| odd("a data key that has not 32 bytes"))?;
        let key = Secret::new(key);
        let wrapped = made.ciphertext_blob.map(Blob::into_inner).filter(|bytes| !bytes.is_empty());
        let wrapped = wrapped.ok_or_else(|| odd("a data key without its ciphertext"))?;
        if made.key_id.as_deref() != Some(name) {
            return Err(odd("a data key of another key"));
        }
        Ok((
            key,
            Wrap {
                key: name.to_owned(),
                alg: KMS_WRAP_ALG.into(),
                wrapped: base64::encode(&wrapped),
            },
        ))
    }

    async fn signature(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        // A note may be longer than the 4,096 bytes that KMS hashes itself.
        let request = self
            .client
            .sign()
            .key_id(&self.ring.sign_name)
            .message(Blob::new(*Digest::of(text).as_bytes()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        let signed = request.send().await.map_err(|e| refused("kms:Sign", &e))?;
        Ok(signed.signature.map(Blob::into_inner).unwrap_or_default())
    }
}

impl KeyService for KmsKeys {
    fn ring(&self) -> &KeyRing {
        &self.ring
    }

    fn mint(&self, context: &WrapContext) -> Result<MintedKey, KeyError> {
        let begins = context.epoch == 0;
        if let (true, Some(why), Some(escrow)) = (begins, &self.began_alone, &self.escrow) {
            return alone(escrow, context, why.clone());
        }
        match (self.edge.wait(self.minted(context)), &self.escrow) {
            (Err(e), Some(escrow)) if !begins => alone(escrow, context, chain(&e)),
            (minted, _) => minted,
        }
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        if let (Some(_), Some(standby)) = (&self.began_alone, &self.ring.standby) {
            return Ok(standby.sign(text)?);
        }
        let der = low_s::normalise(self.edge.wait(self.signature(text))?);
        // A signature that nobody checked is none: a tape must not find out years later.
        if self.ring.sign.verifies(text, &der) {
            Ok(der)
        } else {
            Err(odd("a signature that does not verify"))
        }
    }
}

/// The keys that are files on this host.
struct Files {
    escrow: Option<Wrapper>,
    standby: Option<Arc<Standby>>,
    trusted: Vec<SigningPublic>,
}

impl Files {
    fn read(config: &KmsConfig) -> Result<Self, KeyError> {
        let read = || -> Result<Self, LocalKeyError> {
            let escrow = config.escrow.as_ref().map(|path| Wrapper::from_file(path, ESCROW_NAME));
            let standby = config.standby.as_ref().map(|path| Standby::from_file(path));
            let trusted = config.trusted.iter().map(|path| read_signing_public(path));
            Ok(Self {
                escrow: escrow.transpose()?,
                standby: standby.transpose()?.map(Arc::new),
                trusted: trusted.collect::<Result<_, _>>()?,
            })
        };
        read().map_err(|e| KeyError::Failed(Box::new(e)))
    }

    fn wrap(&self, data: Option<String>) -> Vec<WrapKey> {
        let data = data.map(|name| WrapKey { name, alg: KMS_WRAP_ALG.into(), spki_sha256: None });
        data.into_iter().chain(self.escrow.as_ref().map(|escrow| escrow.named().clone())).collect()
    }
}

fn alone(escrow: &Wrapper, context: &WrapContext, why: String) -> Result<MintedKey, KeyError> {
    let key = Secret::generate()?;
    let wrap = escrow.wrap(&key, context)?;
    Ok(MintedKey { key, wraps: vec![wrap], alone: Some(why) })
}

/// Returns whether KMS did not answer, or as one that does not work. What it refuses is no outage.
pub fn away(e: &KeyError) -> bool {
    let KeyError::Failed(source) = e else { return false };
    source.downcast_ref::<CallError>().is_some_and(|call| match (call.kind, &call.code) {
        (CallKind::Unreachable | CallKind::Throttled, _) => true,
        // No word of KMS: something before it answered.
        (CallKind::Refused, None) => true,
        (_, Some(code)) => OUT_OF_ORDER.contains(&code.as_str()),
        (_, None) => false,
    })
}

fn is_arn(key: &str) -> bool {
    key.starts_with("arn:") && key.contains(":key/")
}

/// Asks KMS for the public half of a signing key, for a verifier to trust.
///
/// # Errors
/// When KMS does not give it, or it does not sign as tapes are signed.
pub fn signing_public(edge: &Edge, key: &str) -> Result<SigningPublic, KeyError> {
    edge.wait(signing_key(&client(edge), key)).map(|(_, public)| public)
}

/// Returns a client that gives up in time: the end of a session waits for a signature.
pub(crate) fn client(edge: &Edge) -> Client {
    let conf = Builder::from(edge.sdk())
        .interceptor(edge.journal())
        .retry_classifier(edge.renewed())
        .timeout_config(PATIENCE.timeouts())
        .retry_config(PATIENCE.retries());
    Client::from_conf(conf.build())
}

async fn signing_key(client: &Client, key: &str) -> Result<(String, SigningPublic), KeyError> {
    let answer = client.get_public_key().key_id(key).send().await;
    let answer = answer.map_err(|e| refused("kms:GetPublicKey", &e))?;
    let signs = (answer.key_spec(), answer.key_usage())
        == (Some(&KeySpec::EccNistP256), Some(&KeyUsageType::SignVerify));
    if !signs {
        return Err(KeyError::Unavailable(format!(
            "{key} is no ECC_NIST_P256 key for SIGN_VERIFY"
        )));
    }
    let name = answer
        .key_id()
        .filter(|name| name.starts_with("arn:"))
        .ok_or_else(|| odd("a key without its ARN"))?;
    let spki = answer.public_key().map(Blob::as_ref).unwrap_or_default();
    Ok((name.to_owned(), SigningPublic::from_spki(spki)?))
}

async fn data_key(client: &Client, key: &str) -> Result<String, KeyError> {
    if is_arn(key) {
        return Ok(key.to_owned());
    }
    let answer = client.describe_key().key_id(key).send().await;
    let answer = answer.map_err(|e| refused("kms:DescribeKey", &e))?;
    let arn = answer.key_metadata().and_then(|key| key.arn());
    arn.map(ToOwned::to_owned).ok_or_else(|| odd("a key without its ARN"))
}

pub(crate) fn refused<E>(
    action: &'static str,
    error: &aws_smithy_runtime_api::client::result::SdkError<
        E,
        aws_smithy_runtime_api::http::Response,
    >,
) -> KeyError
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
{
    KeyError::Failed(Box::new(CallError::new(action, error)))
}

pub(crate) fn odd(what: &str) -> KeyError {
    KeyError::Unavailable(format!("KMS answered with {what}"))
}

/// What an escrow key is called on tapes; which one it is, its `spki_sha256` says.
const ESCROW_NAME: &str = "bg-shell/escrow";
const KEY_LEN: i32 = 32;
/// What KMS and the edges before it say of themselves (KMS API reference, common errors).
const OUT_OF_ORDER: [&str; 5] = [
    "KMSInternalException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
    "InternalFailure",
    "ServiceUnavailable",
];
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(4),
    call: Duration::from_secs(10),
    attempts: 3,
    backoff: Duration::from_secs(1),
};
