//! Stores for tests that need more than a map in memory: one that can be set back to an older copy,
//! and one whose cache lags behind what other processes commit.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use engine::ports::store::{Batch, Freshness, Row, Store};
use engine::ports::timer::Timer;
use store::memory::MemoryStore;

use crate::FixedClock;
use crate::hooked::{Call, Hooked, Step};

/// An empty store in memory whose clock is the test's.
#[must_use]
pub fn memory(clock: &Arc<FixedClock>) -> MemoryStore {
    let clock = clock.clone();
    MemoryStore::with_clock(Arc::new(move || clock.now()))
}

/// An empty store in memory that several processes may have open, with a clock of its own.
#[must_use]
pub fn shared_memory(clock: &Arc<FixedClock>) -> MemoryStore {
    memory(clock).shared()
}

/// A store in memory that holds the rows of another, as a backup restored would.
///
/// # Panics
/// When the rows do not fit one batch.
pub async fn copy_of(rows: &[Row], clock: &Arc<FixedClock>) -> MemoryStore {
    let copy = memory(clock);
    let puts = rows
        .iter()
        .map(|(key, _, value)| (key.clone(), value.clone()))
        .collect();
    let batch = Batch {
        puts,
        ..Batch::default()
    };
    copy.commit(batch).await.expect("a small copy fits a batch");
    copy
}

/// Exchanges the store under a running engine.
pub struct Swap(Arc<RwLock<Arc<dyn Store>>>);

impl Swap {
    /// Continues with another.
    pub fn swap(&self, store: Arc<dyn Store>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = store;
    }
}

/// A store that can be exchanged, by the handle.
#[must_use]
pub fn swappable(store: Arc<dyn Store>) -> (Arc<Hooked>, Swap) {
    let current = Arc::new(RwLock::new(store));
    let swap = Swap(current.clone());
    let now = move || {
        let current = current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    };
    (Arc::new(Hooked::choosing(move |_| now())), swap)
}

/// One process's view of a shared store: reads that may be stale are answered from a copy taken when
/// this process last committed, and so are as stale as the port's contract allows.
pub async fn lagging(shared: Arc<MemoryStore>, clock: Arc<FixedClock>) -> Arc<Hooked<MemoryStore>> {
    let first = Arc::new(copy_of(&shared.rows(), &clock).await);
    let cache = Arc::new(Mutex::new(first));
    let (all, copied) = (shared.clone(), cache.clone());
    let hooked = Hooked::choosing(move |call| match call {
        Call::Get(_, Freshness::Within(within)) | Call::Scan(_, Freshness::Within(within))
            if !within.is_zero() =>
        {
            copied
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }
        Call::Get(..) | Call::Scan(..) | Call::Commit(_) | Call::Now | Call::Other => all.clone(),
    });
    let hooked = hooked.after(move |call| {
        let (shared, clock, cache) = (shared.clone(), clock.clone(), cache.clone());
        if !call.is_commit() {
            return Step::Go;
        }
        Step::wait(async move {
            let copy = copy_of(&shared.rows(), &clock).await;
            *cache.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(copy);
        })
    });
    Arc::new(hooked)
}
