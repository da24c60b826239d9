//! The clock a store answers `now` with, and the one its cache counts ages by.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::types::UnixMillis;
use rustix::time::{ClockId, DynamicClockId, clock_gettime, clock_gettime_dynamic};

use crate::OnSync;

/// A clock that tests may replace: any function that tells the time.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// The machine's clock; a time before 1970 reads as 0.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(system_now)
}

/// A clock that only ages are counted by: the time since some fixed moment. It never runs back, nobody
/// sets it, and it goes on while the process or the machine sleeps.
pub type SteadyClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The machine's steady clock, in nanoseconds. Linux answers without a system call, in about 30 ns.
#[must_use]
pub fn steady_clock() -> SteadyClock {
    Arc::new(steady_now)
}

/// Tells how long something took, if anybody wants to know.
pub(crate) struct Stopwatch(pub(crate) Option<OnSync>);

impl Stopwatch {
    /// When it began; `None` when nobody wants to know.
    pub(crate) fn start(&self) -> Option<Duration> {
        self.0.as_ref().map(|_| steady_now())
    }

    /// Tells of what began at `start`.
    pub(crate) fn stop(&self, start: Option<Duration>) {
        if let (Some(tell), Some(start)) = (&self.0, start) {
            tell(steady_now().saturating_sub(start));
        }
    }
}

fn steady_now() -> Duration {
    // Linux before 2.6.39 does not know the first; the second stands still while a machine sleeps.
    let time = clock_gettime_dynamic(DynamicClockId::Boottime)
        .unwrap_or_else(|_| clock_gettime(ClockId::Monotonic));
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
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
