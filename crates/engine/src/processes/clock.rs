//! The clock all processes of a store follow: the store's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::limits::{CLOCK_DRIFT_MAX, CLOCK_TRIP_MAX};
use crate::ports::store::{Store, StoreError};
use crate::ports::timer::Timer;
use crate::types::UnixMillis;

/// The machine's clock, moved to where the store's is.
///
/// Processes of one store must agree on the time, or a sealed request would be fresh on one and old
/// on another. So each measures how far its machine is off, when it opens and with each heartbeat,
/// and moves its clock by that. A store that is not shared has one process, whose clock is as good
/// as any: nothing is measured, and it is not moved.
pub(crate) struct Clock {
    timer: Arc<dyn Timer>,
    /// What to add to the machine's clock, in milliseconds.
    offset_ms: AtomicI64,
    /// Whether that was measured.
    is_measured: AtomicBool,
    /// The offset that was last warned of; 0 when there is none to warn of.
    warned_ms: AtomicI64,
}

impl Clock {
    /// A clock that is not moved yet.
    pub(crate) fn new(timer: Arc<dyn Timer>) -> Self {
        Self {
            timer,
            offset_ms: AtomicI64::new(0),
            is_measured: AtomicBool::new(false),
            warned_ms: AtomicI64::new(0),
        }
    }

    /// The time all processes agree on: that of the store's clock, as well as this process knows
    /// it. May go back, as any wall clock.
    pub(crate) fn now(&self) -> UnixMillis {
        let offset = self.offset_ms.load(Ordering::Relaxed);
        UnixMillis(self.timer.now().0.saturating_add_signed(offset))
    }

    /// Measures how far the machine's clock is off, as of the middle of one round trip, and answers
    /// the store's time. Does not move the clock for a store that is not shared, nor after a round
    /// trip so long that its middle says little: the answer may have been made at either end of it.
    ///
    /// # Errors
    /// As [`Store::now`]; the clock stays as it was.
    pub(crate) async fn follow(&self, store: &Arc<dyn Store>) -> Result<UnixMillis, StoreError> {
        if !store.is_shared() {
            return store.now().await;
        }
        let (wall, began) = (self.timer.now(), self.timer.monotonic());
        let theirs = store.now().await?;
        let trip = self.timer.monotonic().saturating_sub(began);
        if trip > CLOCK_TRIP_MAX && self.is_measured.load(Ordering::Relaxed) {
            return Ok(theirs);
        }
        let ours = wall.plus(trip / 2);
        let ahead = |a: UnixMillis, b: UnixMillis| millis(a.since(b));
        let offset = ahead(theirs, ours).saturating_sub(ahead(ours, theirs));
        self.offset_ms.store(offset, Ordering::Relaxed);
        self.is_measured.store(true, Ordering::Relaxed);
        self.tell(offset);
        Ok(theirs)
    }

    /// Warns once for each offset that is another one than the last.
    fn tell(&self, offset_ms: i64) {
        let most = millis(CLOCK_DRIFT_MAX);
        let warned = self.warned_ms.load(Ordering::Relaxed);
        if offset_ms.saturating_abs() <= most {
            if self.warned_ms.swap(0, Ordering::Relaxed) != 0 {
                tracing::info!("the machine's clock agrees with the store's again");
            }
        } else if warned == 0 || offset_ms.saturating_sub(warned).saturating_abs() > most {
            self.warned_ms.store(offset_ms, Ordering::Relaxed);
            tracing::warn!(
                offset_ms,
                "the machine's clock is not the store's, which counts: set it"
            );
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::testing::{Hands, Rows};

    /// The clock of a machine that is `ahead` of a store whose clock stands at 10 s.
    async fn followed(shared: bool, machine: Duration) -> (Clock, Arc<Hands>, Arc<dyn Store>) {
        let hands = Arc::new(Hands::default());
        hands.advance(machine);
        let clock = Clock::new(hands.clone());
        let store: Arc<dyn Store> = Arc::new(Rows::at(UnixMillis(10_000), shared));
        assert_eq!(clock.follow(&store).await.unwrap(), UnixMillis(10_000));
        (clock, hands, store)
    }

    #[tokio::test]
    async fn a_machine_that_is_off_either_way_follows_the_store() {
        for machine in [0, 4_000, 10_000, 17_000, 3_610_000] {
            let (clock, hands, _) = followed(true, Duration::from_millis(machine)).await;
            assert_eq!(clock.now(), UnixMillis(10_000), "{machine}");
            hands.advance(Duration::from_millis(5));
            assert_eq!(clock.now(), UnixMillis(10_005), "{machine}");
        }
    }

    #[tokio::test]
    async fn the_only_process_keeps_its_own_clock() {
        let (clock, ..) = followed(false, Duration::from_secs(90)).await;
        assert_eq!(clock.now(), UnixMillis(90_000));
    }

    #[tokio::test]
    async fn it_is_said_once_that_a_clock_is_off_and_that_it_is_not() {
        let (clock, hands, store) = followed(true, Duration::from_secs(14)).await;
        let warned = || clock.warned_ms.load(Ordering::Relaxed);
        assert_eq!(warned(), 0, "4 s are nothing to speak of");
        for (step, expect) in [(2, -6_000), (4, -6_000), (4, -14_000)] {
            hands.advance(Duration::from_secs(step));
            clock.follow(&store).await.unwrap();
            assert_eq!(warned(), expect);
        }
        clock.tell(5_000);
        assert_eq!(warned(), 0);
    }
}
