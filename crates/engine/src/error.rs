//! Errors no client may see, and refusals every area shares.

use std::error::Error;
use std::time::Duration;

/// A failure of our own: made with its context, logged once by the door, rendered generically.
#[derive(Debug, thiserror::Error)]
#[error("{attempted}")]
pub struct Internal {
    attempted: String,
    unavailable: bool,
    #[source]
    cause: Box<dyn Error + Send + Sync>,
}

impl Internal {
    /// `attempted` says what was tried, on what id; never a name, a number or a secret.
    pub fn new(
        attempted: impl Into<String>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            attempted: attempted.into(),
            unavailable: false,
            cause: cause.into(),
        }
    }

    /// As [`Internal::new`], for a store that is away or full: trying later may help.
    pub(crate) fn unavailable(
        attempted: impl Into<String>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            unavailable: true,
            ..Self::new(attempted, cause)
        }
    }

    /// Whether the store is away or full, so that trying later may help (HTTP 503).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
    }
}

/// A rate limit refused the attempt; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct Limited {
    /// When the next attempt may pass.
    pub retry_after: Duration,
}
