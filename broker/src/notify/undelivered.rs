//! Why a message was not delivered.

/// Why a message was not delivered. It names no URL: that may be a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Undelivered {
    /// Nobody answered: nothing else will get there now either.
    #[error("{0}")]
    Unreachable(String),
    /// The receiver answered with another status than 2xx.
    #[error("status {0}: {1}")]
    Refused(u16, String),
    /// It could not be tried.
    #[error("cannot use {0}")]
    Unusable(String),
}
