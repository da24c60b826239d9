//! The clock that measures requests and paces notices.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A monotonic clock, given by whoever starts the server: microseconds since a moment of its own
/// choosing.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// Takes a function that never goes back. It is called twice per request and must not block.
    pub fn new(micros: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(micros))
    }

    /// Microseconds since the clock's own start.
    #[must_use]
    pub fn micros(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}

/// Lets something happen at most once per period, whoever asks and from how many threads.
#[derive(Debug)]
pub(crate) struct Pace {
    clock: Clock,
    period_us: u64,
    /// When it last happened, plus one; zero while it never has.
    last: AtomicU64,
}

impl Pace {
    pub(crate) fn new(clock: Clock, period: Duration) -> Self {
        let period_us = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        Self {
            clock,
            period_us,
            last: AtomicU64::new(0),
        }
    }

    /// True for one caller per period.
    pub(crate) fn due(&self) -> bool {
        let now = self.clock.micros().saturating_add(1);
        let last = self.last.load(Ordering::Relaxed);
        let waiting = last != 0 && now.saturating_sub(last) < self.period_us;
        !waiting
            && self
                .last
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_due_at_once_and_then_once_a_period() {
        let now = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&now);
        let clock = Clock::new(move || seen.load(Ordering::Relaxed));
        let pace = Pace::new(clock, Duration::from_micros(10));
        let due_at = |micros: u64| {
            now.store(micros, Ordering::Relaxed);
            pace.due()
        };
        assert!(due_at(0));
        assert!(!due_at(0));
        assert!(!due_at(9));
        assert!(due_at(10));
        assert!(!due_at(19));
        assert!(due_at(1000));
    }
}
