//! How AWS is reached: region, endpoint, certificates, whose credentials; timeouts and retries in one place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde::Deserialize;
use tokio::runtime::Runtime;

use crate::journal::Journal;
use crate::patience::Patience;
use crate::profiles;
use crate::renewed::Renewed;
use crate::runtime::runtime;

/// Where and as whom to call. All of it may be left out: then the AWS SDK's own rules hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reach {
    /// The region, such as `eu-central-1`.
    pub region: Option<String>,
    /// Another endpoint than AWS's: an emulator, an S3-compatible server, a VPC endpoint.
    pub endpoint: Option<String>,
    /// A PEM file of certificates to trust instead of the system's [default: `$AWS_CA_BUNDLE`, or `ca_bundle` of the
    /// profile].
    pub ca: Option<PathBuf>,
    /// The profile in the AWS configuration files whose credentials are used.
    pub profile: Option<String>,
}

impl Reach {
    /// Has these certificates trusted where none are configured.
    pub fn trust(&mut self, ca: Option<PathBuf>) {
        self.ca = self.ca.take().or(ca);
    }

    /// Returns this, with `other` where this says nothing.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            region: self.region.clone().or_else(|| other.region.clone()),
            endpoint: self.endpoint.clone().or_else(|| other.endpoint.clone()),
            ca: self.ca.clone().or_else(|| other.ca.clone()),
            profile: self.profile.clone().or_else(|| other.profile.clone()),
        }
    }
}

/// A way to call AWS: configuration, credentials, the runtime, and a journal of every call.
#[derive(Debug, Clone)]
pub struct Edge {
    sdk: SdkConfig,
    http: SharedHttpClient,
    ca: Option<PathBuf>,
    runtime: Arc<Runtime>,
    journal: Journal,
    renewed: Renewed,
}

impl Edge {
    /// Opens the edge. No call is made yet, except where a profile's credentials need one.
    ///
    /// # Errors
    /// When the certificates are unreadable, or the system has no threads.
    pub fn open(reach: &Reach) -> Result<Self, EdgeError> {
        let runtime = runtime().map_err(EdgeError::Runtime)?;
        let ca = match &reach.ca {
            Some(ca) => Some(ca.clone()),
            None => runtime.block_on(profiles::certificates(reach.profile.as_deref())),
        };
        let http = http_client(ca.as_deref())?;
        let renewed = renewed(reach, http.clone());
        let loader = reached(reach, http.clone(), renewed.clone());
        let sdk = runtime.block_on(loader.load());
        let sdk = match sdk.region() {
            Some(_) => sdk,
            // IAM lives there anyway, and a configuration without a region is better told by the first refusal.
            None => sdk.into_builder().region(Region::from_static(DEFAULT_REGION)).build(),
        };
        Ok(Self { sdk, http, ca, runtime, journal: Journal::default(), renewed })
    }

    /// Returns the same way with other credentials.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        let provider = SharedCredentialsProvider::new(credentials);
        let sdk = self.sdk.clone().into_builder().credentials_provider(provider).build();
        Self { sdk, renewed: Renewed::never(), ..self.clone() }
    }

    /// Returns what service clients are made from. Each is to have [`Edge::journal`] as an interceptor and
    /// [`Edge::renewed`] as a classifier of retries.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// Returns the HTTP client, for what is not AWS: webhooks.
    pub fn http(&self) -> &SharedHttpClient {
        &self.http
    }

    /// Returns the journal of calls, which is the interceptor that writes it.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Returns who reads renewed credentials, and has a call made again with them: for each service client, beside the
    /// journal.
    pub fn renewed(&self) -> Renewed {
        self.renewed.clone()
    }

    /// Returns the certificates that are trusted instead of the system's.
    pub fn certificates(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    pub fn region(&self) -> &str {
        self.sdk.region().map_or(DEFAULT_REGION, Region::as_ref)
    }

    /// Waits for a call.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Waits for a call, and no longer than that; None: it did not answer.
    pub fn within<T>(&self, patience: Duration, call: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(patience, call).await.ok() })
    }

    /// Returns the runtime, for what serves while the program does other things.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// The region is for providers that call STS themselves.
fn renewed(reach: &Reach, http: SharedHttpClient) -> Renewed {
    let region = reach.region.clone().map(Region::new);
    let there = region.clone().unwrap_or_else(|| Region::from_static(DEFAULT_REGION));
    let config = ProviderConfig::without_region().with_region(Some(there)).with_http_client(http);
    Renewed::of(reach.profile.as_deref(), region, config)
}

fn reached(reach: &Reach, http: SharedHttpClient, renewed: Renewed) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(PATIENCE.timeouts())
        .retry_config(PATIENCE.retries())
        // The SDK's cache knows of no renewal.
        .identity_cache(IdentityCache::no_cache())
        .credentials_provider(renewed);
    if let Some(region) = &reach.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &reach.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(profile) = &reach.profile {
        loader = loader.profile_name(profile);
    }
    loader
}

/// Goes through the proxies that the environment names, as the AWS CLI does (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, and
/// NO_PROXY for what they are not for), and trusts the system's certificates or those of `ca`.
fn http_client(ca: Option<&Path>) -> Result<SharedHttpClient, EdgeError> {
    let trusted = ca.map(tls_context).transpose()?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        if let Some(context) = &trusted {
            connector.set_tls_context(context.clone());
        }
        connector.build()
    }))
}

fn tls_context(ca: &Path) -> Result<TlsContext, EdgeError> {
    let unusable = |source| EdgeError::Certificates { path: ca.to_owned(), source };
    let pem = fs::read(ca).map_err(unusable)?;
    TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(pem))
        .build()
        .map_err(|e| unusable(io::Error::other(e)))
}

/// Why AWS cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The certificates are not usable.
    #[error("cannot use the certificates in {path}", path = path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system has no threads for it.
    #[error("cannot start the AWS runtime: this user may start no more threads (ulimit -u)")]
    Runtime(#[source] io::Error),
}

const DEFAULT_REGION: &str = "us-east-1";
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(10),
    call: Duration::from_secs(25),
    attempts: 4,
    backoff: Duration::from_secs(3),
};
