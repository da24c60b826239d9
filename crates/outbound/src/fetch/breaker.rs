//! Upstreams that checks in the background leave alone for a while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which an upstream rests: a lost packet or two are none of its doing.
const FAILURES_MIN: u32 = 3;
/// First rest; each failure after it doubles the next.
const REST: Duration = Duration::from_secs(60);
/// Longest rest: a service that is back is seen within the hour.
const REST_MAX: Duration = Duration::from_secs(3600);
/// Upstreams with failures that are remembered, 100 bytes each. Hosts that people named may be more:
/// those beyond are asked as if they had not failed.
const KNOWN_MAX: usize = 4096;

/// Remembers upstreams whose last request failed, and no others.
#[derive(Default)]
pub(super) struct Breaker(Mutex<HashMap<String, Failing>>);

struct Failing {
    in_a_row: u32,
    rests_until: Instant,
}

impl Breaker {
    /// Whether the upstream may be asked now. When its rest is over one may ask, and all others rest on
    /// until that one has told how it went.
    ///
    /// # Errors
    /// How long it still rests.
    pub(super) fn admit(&self, upstream: &str) -> Result<(), Duration> {
        let mut known = self.known();
        let Some(failing) = known.get_mut(upstream) else {
            return Ok(());
        };
        let now = Instant::now();
        let left = failing.rests_until.saturating_duration_since(now);
        if !left.is_zero() {
            return Err(left);
        }
        if failing.in_a_row >= FAILURES_MIN {
            failing.rests_until = now + REST;
        }
        Ok(())
    }

    /// The upstream answered.
    pub(super) fn answered(&self, upstream: &str) {
        self.known().remove(upstream);
    }

    /// The upstream failed, and maybe asked to be left alone for some time.
    pub(super) fn failed(&self, upstream: &str, asked: Option<Duration>) {
        let mut known = self.known();
        let now = Instant::now();
        if known.len() >= KNOWN_MAX && !known.contains_key(upstream) {
            // What has rested long enough is forgotten first; with none of those, this one is.
            known.retain(|_, failing| failing.rests_until > now);
            if known.len() >= KNOWN_MAX {
                return;
            }
        }
        let failing = known.entry(upstream.to_owned()).or_insert(Failing {
            in_a_row: 0,
            rests_until: now,
        });
        failing.in_a_row = failing.in_a_row.saturating_add(1);
        let own = failing
            .in_a_row
            .checked_sub(FAILURES_MIN)
            .map(|more| REST.saturating_mul(1 << more.min(16)));
        let rest = own.max(asked).unwrap_or_default().min(REST_MAX);
        failing.rests_until = failing.rests_until.max(now + rest);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Failing>> {
        // Nothing that holds it can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_rest_longer_each_time() {
        let breaker = Breaker::default();
        for _ in 0..2 {
            breaker.failed("a", None);
            assert_eq!(breaker.admit("a"), Ok(()));
        }
        let mut rest = REST;
        for _ in 0..8 {
            breaker.failed("a", None);
            assert_eq!(breaker.admit("a"), Err(rest));
            assert_eq!(breaker.admit("b"), Ok(()));
            advance(rest - Duration::from_millis(1)).await;
            assert_eq!(breaker.admit("a"), Err(Duration::from_millis(1)));
            advance(Duration::from_millis(1)).await;
            // One asks, the others wait for what it finds.
            assert_eq!(breaker.admit("a"), Ok(()));
            assert_eq!(breaker.admit("a"), Err(REST));
            advance(REST - Duration::from_millis(1)).await;
            rest = (rest * 2).min(REST_MAX);
        }
        breaker.answered("a");
        assert_eq!(breaker.admit("a"), Ok(()));
        breaker.failed("a", None);
        assert_eq!(breaker.admit("a"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_to_be_left_alone_is_for_an_hour_at_most() {
        let breaker = Breaker::default();
        let minute = Duration::from_secs(60);
        breaker.failed("a", Some(minute));
        assert_eq!(breaker.admit("a"), Err(minute));
        breaker.failed("a", Some(Duration::ZERO));
        assert_eq!(breaker.admit("a"), Err(minute));
        breaker.failed("b", Some(minute * 600));
        assert_eq!(breaker.admit("b"), Err(REST_MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_has_a_bound() {
        let breaker = Breaker::default();
        for host in 0..KNOWN_MAX {
            breaker.failed(&host.to_string(), Some(REST));
        }
        breaker.failed("one more", Some(REST));
        assert_eq!(breaker.admit("one more"), Ok(()));
        assert_eq!(breaker.known().len(), KNOWN_MAX);
        assert_eq!(breaker.admit("7"), Err(REST));
        advance(REST).await;
        breaker.failed("one more", Some(REST));
        assert_eq!(breaker.admit("one more"), Err(REST));
        assert_eq!(breaker.known().len(), 1);
    }
}
