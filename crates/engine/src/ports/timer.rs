//! Time.

use std::time::Duration;

use async_trait::async_trait;

use crate::types::UnixMillis;

/// The engine's clock and its only way to wait.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Wall clock. May jump when the machine's clock is set.
    fn now(&self) -> UnixMillis;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}
