//! Errors no client may see, and refusals every area shares.

use std::error::Error;
use std::time::Duration;

use crate::ports::store::{CommitError, StoreError};

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

    /// Whether the store is away or full, so that trying later may help (HTTP 503).
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
    }
}

impl From<StoreError> for Internal {
    fn from(error: StoreError) -> Self {
        let unavailable = match &error {
            StoreError::Unavailable(_) | StoreError::Busy(_) => true,
            StoreError::Corrupt(_) => false,
        };
        Self {
            attempted: "reading the store".into(),
            unavailable,
            cause: error.into(),
        }
    }
}

impl From<CommitError> for Internal {
    fn from(error: CommitError) -> Self {
        let unavailable = match &error {
            CommitError::Unavailable(_) | CommitError::Fatal(_) | CommitError::Conflict(_) => true,
            CommitError::TooLarge(_) => false,
        };
        Self {
            attempted: "writing to the store".into(),
            unavailable,
            cause: error.into(),
        }
    }
}

/// A rate limit refused the attempt; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct Limited {
    /// When the next attempt may pass.
    pub retry_after: Duration,
}
