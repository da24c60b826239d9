//! The machine's clocks, in one place: hammer measures time, the server asks a port.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A point of the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "these programmes measure time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for the timestamps of sealed requests.
#[expect(
    clippy::disallowed_methods,
    reason = "a client of the server has its own clock"
)]
pub(crate) fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// CPU time this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}
