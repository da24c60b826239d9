//! Keys whose change got no answer from the store: whether it was applied is looked up until it is sure,
//! so that what is held in memory of them has it within a second of the store.
//!
//! Of a shared store the log tells, as it tells of what other processes do. The only process of a store
//! changes everything itself, and knows, but for this.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::limits::{DOUBT, DOUBT_LOOK_PERIOD, DOUBTFUL_KEYS_MAX};
use crate::ports::timer::Timer;

/// The keys, each with the time, by the monotonic clock, from which on nothing changes any more.
pub(crate) struct Doubts<K> {
    keys: Mutex<Keys<K>>,
    wake: Notify,
}

struct Keys<K> {
    until: BTreeMap<K, Duration>,
    /// There were more keys than are remembered: from then on everything is to be loaded anew.
    all_from: Option<Duration>,
}

impl<K> Default for Doubts<K> {
    fn default() -> Self {
        let keys = Keys {
            until: BTreeMap::new(),
            all_from: None,
        };
        Self {
            keys: Mutex::new(keys),
            wake: Notify::new(),
        }
    }
}

impl<K: Ord + Clone> Doubts<K> {
    /// Adds a key; when there are too many, everything.
    pub(crate) fn add(&self, key: K, now: Duration) {
        let until = now.saturating_add(DOUBT);
        let mut keys = self.lock();
        if keys.until.len() < DOUBTFUL_KEYS_MAX || keys.until.contains_key(&key) {
            keys.until.insert(key, until);
        } else {
            keys.all_from = Some(until);
        }
        drop(keys);
        self.wake.notify_one();
    }

    /// Waits until there is something to look up.
    pub(crate) async fn wait(&self, timer: &dyn Timer) {
        if self.is_empty() {
            self.wake.notified().await;
        } else {
            timer.sleep(DOUBT_LOOK_PERIOD).await;
        }
    }

    /// The keys to look up.
    pub(crate) fn keys(&self) -> Vec<K> {
        self.lock().until.keys().cloned().collect()
    }

    /// Whether everything is to be loaded anew, and can be.
    pub(crate) fn is_load_due(&self, now: Duration) -> bool {
        self.lock().all_from.is_some_and(|from| from <= now)
    }

    /// Everything was loaded anew, by a load that began at `now`.
    pub(crate) fn loaded(&self, now: Duration) {
        self.lock().all_from.take_if(|from| *from <= now);
    }

    /// Drops the keys of which nothing more could come when they were looked up, at `now`.
    pub(crate) fn settle(&self, now: Duration) {
        self.lock().until.retain(|_, until| *until > now);
    }

    /// Whether there is nothing to look up.
    pub(crate) fn is_empty(&self) -> bool {
        let keys = self.lock();
        keys.until.is_empty() && keys.all_from.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Keys<K>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
