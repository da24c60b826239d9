//! The clock a store answers `now` with.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use engine::types::UnixMillis;

/// A clock that tests may replace: any function that tells the time.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// The machine's clock; a time before 1970 reads as 0.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(system_now)
}

#[expect(
    clippy::disallowed_methods,
    reason = "an embedded store is its own clock for leases"
)]
fn system_now() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
