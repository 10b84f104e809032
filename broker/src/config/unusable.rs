//! Why a configuration cannot be used, where no single value shows it.

use std::path::PathBuf;

use hyper::http::uri::InvalidUri;

use super::PRACTICE;

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// A role has the name of the practice world.
    #[error("a role cannot be called {PRACTICE:?}: that is the practice world's")]
    Practice,
    /// There are roles, and no store.
    #[error("roles need evidence.store: nobody gets credentials without evidence")]
    NoStore,
    /// An override must be heard, and there is nobody.
    #[error("roles.{0}.override_needs_delivery: [notify] names nobody whom an alarm could reach")]
    Deaf(String),
    /// What should be a role is none.
    #[error("roles.{name}.arn is {arn:?}: not the ARN of an IAM role")]
    NotARole { name: String, arn: String },
    /// A file is named from where one stands.
    #[error(
        "roles.{name}.{what} is {path}: a relative path is another file wherever bg-shell is started",
        path = .path.display()
    )]
    Relative { name: String, what: &'static str, path: PathBuf },
    /// A role without approvals asks for a second factor.
    #[error(
        "roles.{0}.quorum is 0: a role without approvals needs mfa.mode = \"none\", as a drill's"
    )]
    MfaWithoutQuorum(String),
    /// A role would be opened without facts.
    #[error(
        "roles.{0}.outage.start_offline: nobody gets credentials without facts in the store; only [practice.outage] can say so"
    )]
    Offline(String),
    /// A role would be open for too long.
    #[error("roles.{0}.max_duration is over 12h, the longest that STS gives a role")]
    TooLong(String),
    /// What should be a topic is none.
    #[error("notify.topic is {0:?}: not the ARN of an SNS topic")]
    NotATopic(String),
    /// What should be a URL is none.
    #[error("notify.webhooks: a url that is none: {0}")]
    NoUrl(InvalidUri),
    /// A message would go in the clear.
    #[error("notify.webhooks: the url for {0:?} is not https")]
    NotHttps(String),
    /// A webhook's secret is missing.
    #[error("notify.webhooks: pagerduty needs secret, a file with the routing key")]
    NoRoutingKey,
}
