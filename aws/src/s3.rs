//! The evidence store on S3, or on what speaks S3: create-only puts with their SHA-256, locked where configured.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectLockMode};
use bg_recorder::base64;
use bg_recorder::store::{Listed, ObjectStore, StoreError, check_key};
use sha2::{Digest as _, Sha256};

use crate::attempts::Attempts;
use crate::edge::Edge;
use crate::fault::{CallError, CallKind};
use crate::patience::Patience;
use crate::settings::{EvidenceConfig, EvidenceError, Lock};

/// Which bucket, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    pub bucket: String,
    /// The prefix of all keys: empty, or with its final slash.
    pub prefix: String,
    /// The bucket stands in the path.
    pub path_style: bool,
    /// Mode and days.
    pub lock: Option<(Lock, u32)>,
}

impl S3Config {
    /// Reads `s3://bucket/prefix` and what else the section says.
    ///
    /// # Errors
    /// When it is no such URL, or half of the lock is missing.
    pub fn parse(url: &str, config: &EvidenceConfig) -> Result<Self, EvidenceError> {
        let not_a_store = || EvidenceError::NotAStore(url.to_owned());
        let rest = url.strip_prefix("s3://").ok_or_else(not_a_store)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let bucket_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
        if bucket.len() < 3 || !bucket.chars().all(bucket_char) {
            return Err(not_a_store());
        }
        let prefix = match prefix {
            "" => String::new(),
            prefix => {
                check_key(prefix).map(|()| format!("{prefix}/")).map_err(|_| not_a_store())?
            }
        };
        let lock = match (config.object_lock, config.object_lock_days) {
            (Some(mode), Some(days)) if (1..=LOCK_DAYS_MAX).contains(&days) => Some((mode, days)),
            (Some(_), Some(days)) => return Err(EvidenceError::LockDays(days)),
            (None, None) => None,
            _ => return Err(EvidenceError::HalfOfTheLock),
        };
        Ok(Self { bucket: bucket.to_owned(), prefix, path_style: config.path_style, lock })
    }
}

/// A bucket.
#[derive(Debug)]
pub struct S3Store {
    config: S3Config,
    edge: Edge,
    client: Client,
}

/// What a put came to.
enum Put {
    Done,
    /// The key is taken; by ourselves, perhaps, where more than one attempt was made.
    Taken {
        attempts: u32,
    },
    /// Another writer of the same key was under way.
    Conflict(CallError),
    Failed(CallError),
}

impl S3Store {
    /// Takes a bucket. Nothing is called yet.
    pub fn open(config: S3Config, edge: &Edge) -> Self {
        let conf = Builder::from(edge.sdk())
            .interceptor(edge.journal())
            .retry_classifier(edge.renewed())
            .force_path_style(config.path_style)
            // Servers that only speak S3 may not know AWS's newer checksums. Every put brings its SHA-256.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(PATIENCE.retries())
            .timeout_config(PATIENCE.timeouts())
            .build();
        Self { client: Client::from_conf(conf), edge: edge.clone(), config }
    }

    /// Returns the object's name in the bucket.
    fn object(&self, key: &str) -> Result<String, StoreError> {
        check_key(key).map(|()| format!("{}{key}", self.config.prefix))
    }

    /// Returns the prefix in the bucket that a listing is for, always with its final slash.
    pub(crate) fn below(&self, prefix: &str) -> Result<String, StoreError> {
        match prefix.trim_end_matches('/') {
            "" => Ok(self.config.prefix.clone()),
            key => self.object(key).map(|object| format!("{object}/")),
        }
    }

    /// Returns the key of what is listed in the bucket, if it is below this store's prefix.
    pub(crate) fn key<'o>(&self, object: Option<&'o str>) -> Option<&'o str> {
        object?.strip_prefix(&self.config.prefix)
    }

    /// Returns the client, the bucket's name, and how to wait.
    pub(crate) fn reached(&self) -> (&Client, &str, &Edge) {
        (&self.client, &self.config.bucket, &self.edge)
    }

    async fn put(&self, object: &str, bytes: &Arc<[u8]>) -> Put {
        let attempts = Attempts::default();
        let body = ByteStream::from(bytes.to_vec());
        let request = self
            .client
            .put_object()
            .bucket(&self.config.bucket)
            .key(object)
            .if_none_match("*")
            .content_type("application/octet-stream")
            // An object-locked bucket wants a checksum, and both of these to have it.
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(base64::encode(&Sha256::digest(bytes)))
            .body(body);
        let sent = self
            .locked(request)
            .customize()
            .interceptor(attempts.clone())
            .config_override(aws_sdk_s3::Config::builder().timeout_config(patience(bytes.len())))
            .send()
            .await;
        match sent {
            Ok(_) => Put::Done,
            Err(e) => match e.raw_response().map(|response| response.status().as_u16()) {
                Some(412) => Put::Taken { attempts: attempts.count() },
                Some(409) => Put::Conflict(CallError::new("s3:PutObject", &e)),
                _ => Put::Failed(CallError::new("s3:PutObject", &e)),
            },
        }
    }

    fn locked(&self, request: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        let Some((lock, days)) = self.config.lock else { return request };
        let mode = match lock {
            Lock::Compliance => ObjectLockMode::Compliance,
            Lock::Governance => ObjectLockMode::Governance,
        };
        let until = SystemTime::now() + DAY * days;
        request.object_lock_mode(mode).object_lock_retain_until_date(DateTime::from(until))
    }

    async fn fetch(&self, object: &str, version: Option<&str>, max: u64) -> Result<Vec<u8>, Fetch> {
        let request = self.client.get_object().bucket(&self.config.bucket).key(object);
        let request = request.set_version_id(version.map(ToOwned::to_owned));
        let mut answer = request.send().await.map_err(|e| {
            let call = CallError::new("s3:GetObject", &e);
            let missing = call.code.as_deref() == Some("NoSuchKey");
            if missing { Fetch::Missing } else { Fetch::Failed(call) }
        })?;
        let len = answer.content_length().and_then(|len| u64::try_from(len).ok());
        if len.is_some_and(|len| len > max) {
            return Err(Fetch::TooLarge);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len.unwrap_or(0)).unwrap_or(0));
        let lost = |why: String| Fetch::Failed(CallError::lost("s3:GetObject", &why));
        while let Some(part) = answer.body.next().await {
            bytes.extend_from_slice(&part.map_err(|e| lost(e.to_string()))?);
            if bytes.len() as u64 > max {
                return Err(Fetch::TooLarge);
            }
        }
        // A body that ends early is not the object.
        match len {
            Some(len) if len != bytes.len() as u64 => Err(lost("the answer was cut".into())),
            _ => Ok(bytes),
        }
    }

    async fn listed(&self, below: &str) -> Result<Vec<Listed>, CallError> {
        let request = self.client.list_objects_v2().bucket(&self.config.bucket).prefix(below);
        let mut pages = request.into_paginator().send();
        let mut entries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| CallError::new("s3:ListBucket", &e))?;
            for object in page.contents() {
                let Some(key) = self.key(object.key()) else { continue };
                let len = object.size().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
                entries.push(Listed { key: key.to_owned(), len, object: true });
            }
        }
        entries.sort();
        Ok(entries)
    }
}

/// Why an object was not had.
enum Fetch {
    Missing,
    TooLarge,
    Failed(CallError),
}

impl Fetch {
    fn of(self, key: &str) -> StoreError {
        match self {
            Self::Missing => StoreError::Missing(key.to_owned()),
            Self::TooLarge => StoreError::TooLarge(key.to_owned()),
            Self::Failed(call) => failed("read", key, call),
        }
    }
}

impl ObjectStore for S3Store {
    /// A claim must be won once. Of two writers with *different* bytes one gets [`StoreError::Exists`], whatever
    /// the network does; so what two may race for carries bytes of its own (a session id, a nonce). A writer whose
    /// first attempt was stored and whose answer was lost finds its own bytes, and has won. A put that *failed* may
    /// have been stored all the same: who must know reads.
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let object = self.object(key)?;
        let body = Arc::from(bytes);
        let mut pause = CONFLICT_PAUSE;
        for _ in 1..CONFLICTS_MAX {
            match self.edge.wait(self.put(&object, &body)) {
                Put::Conflict(_) => self.edge.wait(tokio::time::sleep(pause)),
                other => return self.settle(key, &object, bytes, other),
            }
            pause *= 2;
        }
        let last = self.edge.wait(self.put(&object, &body));
        self.settle(key, &object, bytes, last)
    }

    fn get(&self, key: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        let object = self.object(key)?;
        self.read(&object, None, max).map_err(|e| e.of(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let below = self.below(prefix)?;
        self.edge.wait(self.listed(&below)).map_err(|call| failed("list", prefix, call))
    }
}

impl S3Store {
    /// Reads one version of an object of at most `max` bytes.
    ///
    /// # Errors
    /// As the store says.
    pub fn version(&self, key: &str, version: &str, max: u64) -> Result<Vec<u8>, StoreError> {
        let object = self.object(key)?;
        self.read(&object, Some(version), max).map_err(|e| e.of(key))
    }

    fn settle(&self, key: &str, object: &str, bytes: &[u8], put: Put) -> Result<(), StoreError> {
        match put {
            Put::Done => Ok(()),
            Put::Taken { attempts } if attempts > 1 => {
                match self.read(object, None, bytes.len() as u64) {
                    Ok(stored) if stored == bytes => Ok(()),
                    _ => Err(StoreError::Exists(key.to_owned())),
                }
            }
            Put::Taken { .. } => Err(StoreError::Exists(key.to_owned())),
            Put::Conflict(call) | Put::Failed(call) => Err(failed("store", key, call)),
        }
    }

    /// Reads an object. The SDK's own timeouts end where the body begins, so there is one for the whole.
    fn read(&self, object: &str, version: Option<&str>, max: u64) -> Result<Vec<u8>, Fetch> {
        let limit = BODY_PATIENCE + transfer(usize::try_from(max).unwrap_or(usize::MAX));
        let late = |_| Fetch::Failed(CallError::lost("s3:GetObject", "no answer in time"));
        self.edge.wait(async {
            tokio::time::timeout(limit, self.fetch(object, version, max))
                .await
                .map_err(late)
                .and_then(|read| read)
        })
    }
}

/// Puts a failed call into the store's words; the call's own stay as the source.
pub(crate) fn failed(verb: &'static str, key: &str, call: CallError) -> StoreError {
    let kind = match call.kind {
        CallKind::Denied
        | CallKind::ExplicitDeny
        | CallKind::Expired
        | CallKind::Skewed
        | CallKind::NoCredentials
        | CallKind::Missing
        | CallKind::KeyState
        | CallKind::Elsewhere => io::ErrorKind::PermissionDenied,
        CallKind::Unreachable => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    StoreError::Failed { verb, key: key.to_owned(), source: io::Error::new(kind, call) }
}

/// A dead store must be noticed within seconds, and a large segment on a slow line must still get through.
fn patience(len: usize) -> TimeoutConfig {
    PATIENCE.and(transfer(len)).timeouts()
}

/// Returns how long so many bytes may take on a line of 1 Mbit/s.
fn transfer(len: usize) -> Duration {
    let ms = u64::try_from(len / BYTES_PER_MS).unwrap_or(u64::MAX);
    Duration::from_millis(ms.min(TRANSFER_MS_MAX))
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(4),
    call: Duration::from_secs(6),
    attempts: 3,
    backoff: Duration::from_secs(1),
};
const BODY_PATIENCE: Duration = Duration::from_secs(8);
const BYTES_PER_MS: usize = 128;
const TRANSFER_MS_MAX: u64 = 60_000;
/// Tries of one put, where others write the same key at the same time (409): then one is there, and it is 412.
const CONFLICTS_MAX: u32 = 6;
const CONFLICT_PAUSE: Duration = Duration::from_millis(50);
const DAY: Duration = Duration::from_secs(86_400);
const LOCK_DAYS_MAX: u32 = 36_500;
