//! Turns for those somebody waits for and for checks in the background, and the time they take.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::ports::fetch::{FetchError, Purpose};
use tokio::time::Instant;

use super::gate::{BACKGROUND, BACKGROUND_IN_ALL, Gate, IN_ALL, Turn};
use super::target::Target;

/// Two gates, so that checks in the background keep nobody waiting.
pub(super) struct Turns {
    asked: Arc<Gate>,
    background: Arc<Gate>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            asked: Gate::new(IN_ALL),
            background: Gate::new(BACKGROUND_IN_ALL),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Busy` when too many wait already.
    pub(super) async fn turn(&self, purpose: Purpose, to: &Target) -> Result<Turn, FetchError> {
        let (gate, share) = match purpose {
            Purpose::Asked => (&self.asked, to.share()),
            Purpose::Background => (&self.background, BACKGROUND),
        };
        let turn = gate.turn(&to.key, share).await;
        turn.map_err(|_| FetchError::Busy)
    }
}

/// How much of a request's time goes by while it waits for turns.
#[derive(Default)]
pub(super) struct Waits(Mutex<Waited>);

#[derive(Clone, Copy, Default)]
struct Waited {
    before: Duration,
    /// The wait that has not ended.
    since: Option<Instant>,
}

impl Waits {
    /// Waits, and counts the time, also when what waits is dropped in between.
    pub(super) async fn measure<T>(&self, wait: impl Future<Output = T>) -> T {
        self.set(|waited| waited.since = Some(Instant::now()));
        let done = wait.await;
        self.set(|waited| *waited = waited.ended());
        done
    }

    /// Whether at least half of a time went by in waiting.
    pub(super) fn took_most_of(&self, time: Duration) -> bool {
        let mut all = Duration::ZERO;
        self.set(|waited| all = waited.ended().before);
        all >= time / 2
    }

    fn set(&self, change: impl FnOnce(&mut Waited)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Waited {
    fn ended(self) -> Self {
        let last = self.since.map(|since| since.elapsed());
        Self {
            before: self.before.saturating_add(last.unwrap_or_default()),
            since: None,
        }
    }
}
