//! Stores for tests that need more than a map in memory: one that can be set back to an older copy,
//! and one whose cache lags behind what other processes commit.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Freshness, Health, Key, KeyRange, Row, Store, StoreError,
    Version,
};
use engine::ports::timer::Timer;
use engine::types::UnixMillis;
use store::memory::MemoryStore;

use crate::FixedClock;

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

/// A store that can be exchanged under a running engine.
pub struct SwapStore(RwLock<Arc<dyn Store>>);

impl SwapStore {
    /// Starts with this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(RwLock::new(store))
    }

    /// Continues with another.
    pub fn swap(&self, store: Arc<dyn Store>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = store;
    }

    fn inner(&self) -> Arc<dyn Store> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Store for SwapStore {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        self.inner().get_many(keys, fresh).await
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner().scan(range, direction, limit, fresh).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        self.inner().commit(batch).await
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        self.inner().now().await
    }

    fn health(&self) -> Health {
        self.inner().health()
    }

    fn is_shared(&self) -> bool {
        self.inner().is_shared()
    }
}

/// One process's view of a shared store: reads that may be stale are answered from a copy taken when
/// this process last committed, and so are as stale as the port's contract allows.
pub struct LaggingStore {
    shared: Arc<MemoryStore>,
    clock: Arc<FixedClock>,
    cache: Mutex<Arc<MemoryStore>>,
}

impl LaggingStore {
    /// A process that joins now.
    pub async fn over(shared: Arc<MemoryStore>, clock: Arc<FixedClock>) -> Self {
        let cache = Mutex::new(Arc::new(copy_of(&shared.rows(), &clock).await));
        Self {
            shared,
            clock,
            cache,
        }
    }

    fn cache(&self) -> Arc<MemoryStore> {
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Store for LaggingStore {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        match fresh {
            Freshness::Now => self.shared.get_many(keys, fresh).await,
            Freshness::Within(_) => self.cache().get_many(keys, fresh).await,
        }
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        match fresh {
            Freshness::Now => self.shared.scan(range, direction, limit, fresh).await,
            Freshness::Within(_) => self.cache().scan(range, direction, limit, fresh).await,
        }
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        let version = self.shared.commit(batch).await?;
        let copy = copy_of(&self.shared.rows(), &self.clock).await;
        *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(copy);
        Ok(version)
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        self.shared.now().await
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn is_shared(&self) -> bool {
        true
    }
}
