//! The `[notify]` and `[drill]` sections.

use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use serde::Deserialize;

use super::read;
use super::unusable::Unusable;

/// Who is told of requests, approvals, sessions and what is pending.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Places that take an HTTP POST.
    pub webhooks: Vec<Webhook>,
    /// An SNS topic.
    pub topic: Option<String>,
}

impl NotifyConfig {
    pub(super) fn check(&self) -> Result<(), Unusable> {
        self.webhooks.iter().try_for_each(Webhook::check)?;
        match &self.topic {
            Some(arn) if !arn.starts_with("arn:") || arn.split(':').count() != 6 => {
                Err(Unusable::NotATopic(arn.clone()))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is.
    pub url: String,
    /// What it takes.
    #[serde(default)]
    pub shape: WebhookShape,
    /// A file with the secret that signs the body (HMAC-SHA-256), or with PagerDuty's routing key.
    pub secret: Option<PathBuf>,
    /// A PEM file of certificates to trust there.
    pub ca: Option<PathBuf>,
}

impl Webhook {
    /// A message says who may do what, and why: it goes through TLS, or stays on this machine.
    fn check(&self) -> Result<(), Unusable> {
        let uri = self.url.parse::<Uri>().map_err(Unusable::NoUrl)?;
        let host = uri.host().unwrap_or_default();
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if matches!(host, "127.0.0.1" | "[::1]" | "localhost") => {}
            _ => return Err(Unusable::NotHttps(host.to_owned())),
        }
        if self.shape == WebhookShape::Pagerduty && self.secret.is_none() {
            return Err(Unusable::NoRoutingKey);
        }
        Ok(())
    }
}

/// What a webhook takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookShape {
    /// Our JSON, signed.
    #[default]
    Generic,
    /// Slack's incoming webhooks.
    Slack,
    /// PagerDuty's Events API v2.
    Pagerduty,
    /// A ticket is created at the request, and updated until the report.
    Ticket,
}

/// Limits that a drill must keep.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrillConfig {
    /// The role a drill opens.
    pub role: Option<String>,
    /// From the command to the prompt.
    #[serde(deserialize_with = "read::duration")]
    pub time_to_access_max: Duration,
    /// From the end to the proof that the access is denied.
    #[serde(deserialize_with = "read::duration")]
    pub time_to_revoke_max: Duration,
}

impl Default for DrillConfig {
    fn default() -> Self {
        Self {
            role: None,
            time_to_access_max: Duration::from_secs(60),
            time_to_revoke_max: Duration::from_secs(30),
        }
    }
}
