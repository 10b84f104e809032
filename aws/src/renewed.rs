//! Credentials that others renew while this program runs: a profile that is written anew, keys that AWS says are
//! over. Each is read again, and the call is made again with what was read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_types::region::Region;

use crate::profiles;

/// Whose credentials an edge calls with, as they are now. Clones share what is known.
#[derive(Debug, Clone)]
pub struct Renewed(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    source: Source,
    known: Mutex<Known>,
}

/// Where they come from.
#[derive(Debug)]
enum Source {
    Profile(String, ProviderConfig),
    Chain(ProviderConfig, Option<Region>),
}

#[derive(Debug, Default)]
struct Known {
    /// What the profile files said when the provider was made from them.
    profiles: Option<ProfileSet>,
    provider: Option<SharedCredentialsProvider>,
    held: Option<Credentials>,
    /// The access key that AWS refused last.
    refused: Option<String>,
}

impl Renewed {
    /// Takes those of a profile, or what the SDK's own chain finds.
    pub(crate) fn of(
        profile: Option<&str>,
        region: Option<Region>,
        config: ProviderConfig,
    ) -> Self {
        let source = match profile {
            Some(profile) => Source::Profile(profile.to_owned(), config),
            None => Source::Chain(config, region),
        };
        Self(Some(Arc::new(Inner { source, known: Mutex::default() })))
    }

    /// Credentials that nobody renews: a session's own.
    pub(crate) fn never() -> Self {
        Self(None)
    }
}

impl Inner {
    async fn credentials(&self) -> provider::Result {
        let profiles = profiles::load().await;
        let (provider, before) = {
            let mut known = self.known();
            // Files that cannot be read just now are being written.
            if profiles.is_some() && profiles != known.profiles {
                known.profiles = profiles;
                known.provider = None;
            }
            let before = known.held.clone().filter(lives);
            match (&known.provider, &before) {
                (Some(_), Some(held)) => return Ok(held.clone()),
                _ => (known.provider.clone(), before),
            }
        };
        let provider = match provider {
            Some(provider) => provider,
            None => self.source.open().await,
        };
        match (provider.provide_credentials().await, before) {
            (Ok(read), _) => {
                let mut known = self.known();
                known.provider = Some(provider);
                known.held = Some(read.clone());
                Ok(read)
            }
            // What is half written is read again by the next call.
            (Err(_), Some(before)) => Ok(before),
            (Err(e), None) => Err(e),
        }
    }

    /// Forgets what AWS has refused; returns whether the call is worth another attempt. The same key refused again is
    /// no news.
    fn refused(&self) -> bool {
        let mut known = self.known();
        known.provider = None;
        let key = known.held.take().map(|held| held.access_key_id().to_owned());
        let news = key.is_none() || key != known.refused;
        if key.is_some() {
            known.refused = key;
        }
        news
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    /// A provider keeps what it has read of the files: to read them again takes a new one.
    async fn open(&self) -> SharedCredentialsProvider {
        match self {
            // The SDK's own chain lets variables win over a profile: whoever starts us could call as somebody else.
            Self::Profile(name, config) => {
                let builder = ProfileFileCredentialsProvider::builder().configure(config);
                SharedCredentialsProvider::new(builder.profile_name(name).build())
            }
            Self::Chain(config, region) => {
                let builder = DefaultCredentialsChain::builder().configure(config.clone());
                let builder = match region {
                    Some(region) => builder.region(region.clone()),
                    None => builder,
                };
                SharedCredentialsProvider::new(builder.build().await)
            }
        }
    }
}

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            match &self.0 {
                Some(inner) => inner.credentials().await,
                None => Err(provider::error::CredentialsError::not_loaded_no_source()),
            }
        })
    }
}

impl ClassifyRetry for Renewed {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(inner) = &self.0 else { return RetryAction::NoActionIndicated };
        let refused = context.response().is_some_and(|response| {
            matches!(response.status().as_u16(), 400 | 403)
                && response.body().bytes().is_some_and(names_dead_keys)
        });
        if refused && inner.refused() {
            RetryAction::client_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "keys that were renewed"
    }
}

/// Returns whether a refusal's body names one of the codes for keys that are over: JSON here, XML there.
fn names_dead_keys(body: &[u8]) -> bool {
    let body = body.get(..BODY_MAX).unwrap_or(body);
    DEAD_KEYS.iter().any(|code| body.windows(code.len()).any(|window| window == code.as_bytes()))
}

/// Credentials that do not say when they expire are held until AWS refuses them, or the files change.
fn lives(held: &Credentials) -> bool {
    held.expiry().is_none_or(|expiry| SystemTime::now() + MARGIN < expiry)
}

/// What services call keys that have expired, were deleted, or do not exist (their API references, common errors).
pub(crate) const DEAD_KEYS: [&str; 4] =
    ["ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"];
/// As long before they expire they are not used any more: a call takes its time.
const MARGIN: Duration = Duration::from_secs(10);
const BODY_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_dead_keys_is_known_by_its_code_in_json_and_in_xml() {
        let json = br#"{"__type":"ExpiredTokenException","message":"expired"}"#;
        let xml =
            b"<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>";
        assert!(names_dead_keys(json) && names_dead_keys(xml));
        assert!(!names_dead_keys(b"<Error><Code>AccessDenied</Code></Error>"));
    }

    #[test]
    fn the_same_key_is_tried_again_once() {
        let renewed = Renewed::of(Some("x"), None, ProviderConfig::empty());
        let inner = renewed.0.unwrap();
        let hold = |id: &str| {
            inner.known().held = Some(Credentials::new(id, "s", None, None, "test"));
        };
        hold("AKIA1");
        assert!(inner.refused());
        hold("AKIA1");
        assert!(!inner.refused(), "what was read again is the same");
        hold("AKIA2");
        assert!(inner.refused());
    }
}
