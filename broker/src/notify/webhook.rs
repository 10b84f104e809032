//! One webhook: an HTTP POST, signed where there is a secret.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bg_recorder::cause::chain;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::neutral::neutral;
use http_body_util::{BodyExt as _, Limited};
use hyper::Uri;
use zeroize::Zeroizing;

use super::message::Message;
use super::secret::WebhookSecret;
use super::shape;
use super::undelivered::Undelivered;
use crate::config::{Webhook, WebhookShape};

/// A webhook that can be called.
pub struct Caller {
    webhook: Webhook,
    secret: Option<WebhookSecret>,
    connector: Connector,
}

impl Caller {
    /// Reads the secret and the certificates.
    ///
    /// # Errors
    /// When a file is not usable.
    pub fn new(webhook: &Webhook) -> Result<Self, Undelivered> {
        let secret = webhook.secret.as_deref().map(|path| {
            let unusable = |e| Undelivered::Unusable(format!("the secret {}: {e}", path.display()));
            WebhookSecret::read(path).map_err(unusable)
        });
        Ok(Self {
            webhook: webhook.clone(),
            secret: secret.transpose()?,
            connector: connector(webhook)?,
        })
    }

    /// Delivers a message. What is not for this receiver counts as delivered.
    ///
    /// # Errors
    /// When nobody answered, or the answer was no.
    pub async fn deliver(&self, message: &Message) -> Result<(), Undelivered> {
        let Some(body) = self.body(message)? else { return Ok(()) };
        let request =
            self.request(message, &body).map_err(|e| Undelivered::Unusable(chain(&*e)))?;
        let answered = tokio::time::timeout(PATIENCE, self.call(request)).await;
        answered.unwrap_or_else(|_| Err(Undelivered::Unreachable("no answer in time".into())))
    }

    async fn call(&self, request: HttpRequest) -> Result<(), Undelivered> {
        let response = self.connector.call(request).await;
        let response = response.map_err(|e| Undelivered::Unreachable(neutral(&chain(&e))))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let said = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let said = said.map(|said| said.to_bytes()).unwrap_or_default();
        let said: String =
            neutral(&String::from_utf8_lossy(&said)).chars().take(SAID_MAX).collect();
        Err(Undelivered::Refused(status.as_u16(), said))
    }

    fn body(&self, message: &Message) -> Result<Option<Zeroizing<Vec<u8>>>, Undelivered> {
        let Some(body) = shape::body(self.webhook.shape, message) else { return Ok(None) };
        let unusable = |e: serde_json::Error| Undelivered::Unusable(e.to_string());
        let json = serde_json::to_vec(&body).map_err(unusable)?;
        let (WebhookShape::Pagerduty, Some(secret)) = (self.webhook.shape, &self.secret) else {
            return Ok(Some(Zeroizing::new(json)));
        };
        // The routing key never is a value that is copied about: it goes in front of what was written.
        let key = std::str::from_utf8(secret.expose())
            .map_err(|_| Undelivered::Unusable("the routing key is not text".into()))?;
        let mut keyed = Zeroizing::new(Vec::with_capacity(json.len() + 2 * key.len() + 32));
        keyed.extend_from_slice(b"{\"routing_key\":");
        serde_json::to_writer(&mut *keyed, key).map_err(unusable)?;
        keyed.push(b',');
        keyed.extend_from_slice(json.get(1..).unwrap_or_default());
        Ok(Some(keyed))
    }

    fn request(
        &self,
        message: &Message,
        body: &[u8],
    ) -> Result<HttpRequest, Box<dyn std::error::Error>> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST")?;
        request.set_uri(self.webhook.url.as_str())?;
        let headers = request.headers_mut();
        headers.try_insert("content-type", "application/json")?;
        headers.try_insert("user-agent", concat!("bg-shell/", env!("CARGO_PKG_VERSION")))?;
        headers.try_insert(DELIVERY_HEADER, message.id.clone())?;
        let signs = matches!(self.webhook.shape, WebhookShape::Generic | WebhookShape::Ticket);
        if let (true, Some(secret)) = (signs, &self.secret) {
            let now_s = SystemClock.wall_us() / 1_000_000;
            headers.try_insert(SIGNATURE_HEADER, signature(secret.expose(), now_s, body))?;
        }
        Ok(request)
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({}, ..)", host(&self.webhook.url))
    }
}

/// Returns what a webhook may be called in messages: its host. The path of Slack's is a secret.
pub fn host(url: &str) -> String {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(ToOwned::to_owned));
    host.unwrap_or_else(|| "a webhook".to_owned())
}

/// Returns `t=<seconds>,v1=<hex>`: HMAC-SHA-256 over `<seconds>.<body>`, so that an old delivery cannot be sent
/// again later.
fn signature(secret: &[u8], now_s: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{now_s}.").as_bytes());
    context.update(body);
    let mut text = format!("t={now_s},v1=");
    for byte in context.sign().as_ref() {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

fn connector(webhook: &Webhook) -> Result<Connector, Undelivered> {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_PATIENCE)
        .read_timeout(PATIENCE)
        .build();
    let builder = Connector::builder()
        .connector_settings(settings)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    let Some(path) = &webhook.ca else { return Ok(builder.build()) };
    let unusable =
        |why: String| Undelivered::Unusable(format!("the certificates {}: {why}", path.display()));
    let pem = fs::read(path).map_err(|e| unusable(e.to_string()))?;
    let trust = TrustStore::empty().with_pem_certificate(pem);
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|e| unusable(e.to_string()))?;
    Ok(builder.tls_context(context).build())
}

const SIGNATURE_HEADER: &str = "x-bg-shell-signature";
const DELIVERY_HEADER: &str = "x-bg-shell-delivery";
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// The most bytes that are read of an answer.
const ANSWER_MAX: usize = 4_096;
/// The most characters that are told of it.
const SAID_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_hmac_over_time_and_body() {
        // printf '1.{}' | openssl dgst -sha256 -hmac key
        let expected = "t=1,v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224";
        assert_eq!(signature(b"key", 1, b"{}"), expected);
    }

    #[test]
    fn the_path_of_a_webhook_is_never_told() {
        assert_eq!(host("https://hooks.slack.com/services/T0/B0/secret"), "hooks.slack.com");
        assert_eq!(host("nonsense with spaces"), "a webhook");
    }
}
