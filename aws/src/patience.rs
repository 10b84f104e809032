//! How long a call may take, and how often it is tried.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

/// The patience with one service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one attempt.
    pub attempt: Duration,
    /// For the call with all its attempts.
    pub call: Duration,
    /// The most attempts.
    pub attempts: u32,
    /// The longest pause between two of them.
    pub backoff: Duration,
}

impl Patience {
    /// Returns this, with the time that a body takes on its way.
    pub fn and(self, transfer: Duration) -> Self {
        Self { attempt: self.attempt + transfer, call: self.call + transfer * 2, ..self }
    }

    /// Returns the SDK's timeouts.
    pub fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call)
            .build()
    }

    /// Returns the SDK's retries.
    pub fn retries(self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(self.attempts).with_max_backoff(self.backoff)
    }
}
