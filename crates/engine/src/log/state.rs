//! What the sequencer of one process remembers between its turns: when it ran, whether it leads, and
//! when and where to look for intents in the store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as StdMutex, MutexGuard as StdMutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use crate::engine::Engine;
use crate::limits::{
    BATCH_ENTRIES_MAX, DOUBT, DOUBT_LOOK_PERIOD, FOLLOWER_LOOK_PERIOD, INTENT_LOOK_MIN,
    LEASE_RENEWED_AFTER,
};
use crate::ports::store::Key;

/// See the module.
#[derive(Default)]
pub(crate) struct SequencerState {
    turn: Mutex<()>,
    /// Whether another process led when this one asked last. What is accepted meanwhile is not
    /// queued here: whoever leads finds it in the store.
    follows: AtomicBool,
    /// When the last batch that sequenced something started, by the monotonic clock.
    last_start: StdMutex<Option<Duration>>,
    looks: StdMutex<Looks>,
}

/// Looks for intents in the store; times by the monotonic clock.
#[derive(Default)]
struct Looks {
    /// Whether the store may hold intents that the queue does not.
    asked: bool,
    last: Option<Duration>,
    /// Until then batches of unknown outcome may turn out to have been applied.
    doubt_until: Option<Duration>,
    /// Where the next look begins, when the last one did not see all.
    from: Option<Key>,
}

impl Looks {
    fn is_in_doubt(&self, now: Duration) -> bool {
        self.doubt_until.is_some_and(|until| now < until)
    }
}

impl SequencerState {
    /// One turn at a time.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Whether another process leads, as far as this one knows.
    pub(crate) fn follows(&self) -> bool {
        self.follows.load(Ordering::Acquire)
    }

    /// Notes whether another process leads. When that ends, the next turn looks in the store: what
    /// was accepted here after the last look, and before this note, is in no queue.
    pub(crate) fn set_follows(&self, follows: bool) {
        let followed = self.follows.swap(follows, Ordering::AcqRel);
        if followed && !follows {
            self.look_in_store();
        }
    }

    /// Has the next turn look for intents in the store.
    pub(crate) fn look_in_store(&self) {
        self.looks().asked = true;
    }

    /// Has the turns of the next 30 s look for intents in the store, once a second: a batch of
    /// unknown outcome may be applied still.
    pub(crate) fn doubt(&self, now: Duration) {
        let mut looks = self.looks();
        looks.asked = true;
        looks.doubt_until = Some(now.saturating_add(DOUBT));
    }

    /// Whether to look now: because somebody asked, or because other processes may have written
    /// intents since the last look, however busy this one is. On a store that is not shared nobody
    /// else writes any.
    pub(crate) fn is_time_to_look(&self, engine: &Engine) -> bool {
        let now = engine.ports().timer.monotonic();
        let mut looks = self.looks();
        let period = if engine.is_shared() {
            Some(look_period(engine))
        } else {
            looks.is_in_doubt(now).then_some(DOUBT_LOOK_PERIOD)
        };
        let is_over = |period| {
            let over = |last| now.saturating_sub(last) >= period;
            looks.last.is_none_or(over)
        };
        let is_time = looks.asked || period.is_some_and(is_over);
        if is_time {
            looks.asked = false;
            looks.last = Some(now);
        }
        is_time
    }

    /// Where the look that begins now starts; `None` is the first intent.
    pub(crate) fn look_from(&self) -> Option<Key> {
        self.looks().from.clone()
    }

    /// Ends a look: the next one starts at `from`, and at once if there is such a place, as this
    /// one did not see all.
    pub(crate) fn looked(&self, from: Option<Key>) {
        let mut looks = self.looks();
        looks.asked |= from.is_some();
        looks.from = from;
    }

    /// Waits until the merge delay since the last batch's start is over, or a whole batch waits.
    /// Answers the start of this one; `None` when it would have to wait for longer than a leader may
    /// be silent.
    pub(crate) async fn pace(&self, engine: &Engine) -> Option<Duration> {
        let timer = &engine.ports().timer;
        let last = *lock(&self.last_start);
        let next = last.map(|last| last.saturating_add(engine.settings().merge_delay));
        let patience = timer.monotonic().saturating_add(LEASE_RENEWED_AFTER);
        while engine.pending().len() < BATCH_ENTRIES_MAX {
            let now = timer.monotonic();
            let left = next.map_or(Duration::ZERO, |next| next.saturating_sub(now));
            if left.is_zero() {
                break;
            }
            let may_wait = patience.saturating_sub(now);
            if may_wait.is_zero() {
                return None;
            }
            tokio::select! {
                () = timer.sleep(left.min(may_wait)) => {}
                () = engine.pending().woken() => {}
            }
        }
        Some(timer.monotonic())
    }

    /// Notes that the batch that started then has sequenced something.
    pub(crate) fn paced(&self, start: Duration) {
        *lock(&self.last_start) = Some(start);
    }

    /// Waits for the next turn: until something was accepted here, or it is time to look at the
    /// store. The only process of a store looks at it after failures alone, and otherwise waits
    /// without end; a follower is not woken by what it accepts, as another one sequences that.
    pub(crate) async fn rest(&self, engine: &Engine) {
        let timer = &engine.ports().timer;
        if self.follows() {
            return timer.sleep(FOLLOWER_LOOK_PERIOD).await;
        }
        let pause = if engine.is_shared() {
            Some(look_period(engine).min(LEASE_RENEWED_AFTER))
        } else {
            let looks = self.looks();
            let is_looking = looks.asked || looks.is_in_doubt(timer.monotonic());
            (is_looking || engine.pending().len() > 0).then_some(DOUBT_LOOK_PERIOD)
        };
        let Some(pause) = pause else {
            return engine.pending().woken().await;
        };
        tokio::select! {
            () = engine.pending().woken() => {}
            () = timer.sleep(pause) => {}
        }
    }

    fn looks(&self) -> StdMutexGuard<'_, Looks> {
        lock(&self.looks)
    }
}

/// Time between two looks for the intents of other processes: the merge delay.
fn look_period(engine: &Engine) -> Duration {
    engine.settings().merge_delay.max(INTENT_LOOK_MIN)
}

fn lock<T>(mutex: &StdMutex<T>) -> StdMutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
