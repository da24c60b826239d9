//! The machine's clock and random generator.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use engine::ports::rng::Rng;
use engine::ports::timer::Timer;
use engine::types::UnixMillis;

/// The machine's clock. Waits need a runtime with its time driver on.
#[derive(Clone, Copy, Debug)]
pub struct SystemTimer {
    started: Instant,
}

impl SystemTimer {
    /// A timer whose monotonic clock starts at zero.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter of the Timer port"
    )]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

#[async_trait]
impl Timer for SystemTimer {
    /// A time before 1970 reads as 0.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter of the Timer port"
    )]
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The operating system's random generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl Rng for OsRng {
    /// # Panics
    /// When the system has no randomness to give: nothing safe can be done without it.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter of the Rng port"
    )]
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use engine::ports::rng::draw;

    use super::*;

    /// 2020-01-01T00:00:00Z.
    const LONG_AGO_MS: u64 = 1_577_836_800_000;

    #[tokio::test]
    async fn a_sleep_is_over_no_sooner_than_asked() {
        let timer = SystemTimer::start();
        assert!(timer.now().0 > LONG_AGO_MS);
        let before = timer.monotonic();
        timer.sleep(Duration::from_millis(2)).await;
        assert!(timer.monotonic() - before >= Duration::from_millis(2));
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(draw::<32>(&OsRng), draw::<32>(&OsRng));
    }
}
