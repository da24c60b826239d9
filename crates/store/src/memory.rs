//! A store in memory: for tests, for trying things out, and as the model other backends are
//! compared with.
//!
//! One lock guards an ordered map; commits take it for writing, reads for reading, so every read
//! is a snapshot. Nothing survives the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Expect, Freshness, Health, Key, KeyRange, Row, Store,
    StoreError, Version,
};
use engine::types::UnixMillis;

use crate::clock::{Clock, system_clock};
use crate::limits;

/// A [`Store`] that lives in memory.
pub struct MemoryStore {
    state: RwLock<State>,
    clock: Clock,
    is_shared: bool,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Key, (Version, Bytes)>,
    newest: u64,
}

impl MemoryStore {
    /// An empty store with the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(system_clock())
    }

    /// An empty store whose `now` answers what `clock` says.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            state: RwLock::default(),
            clock,
            is_shared: false,
        }
    }

    /// The same store, which says that other processes may have it open too: for tests that run
    /// several processes in one.
    #[must_use]
    pub fn shared(self) -> Self {
        Self {
            is_shared: true,
            ..self
        }
    }

    /// Every row in key order: what a test compares after a fault.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.read().rows.iter().map(to_row).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get_many(
        &self,
        keys: &[Key],
        _fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        let state = self.read();
        Ok(keys
            .iter()
            .map(|key| state.rows.get(key).cloned())
            .collect())
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        _fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        let end = match &range.end {
            Some(end) if *end <= range.start => return Ok(Vec::new()),
            Some(end) => Bound::Excluded(end.clone()),
            None => Bound::Unbounded,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let state = self.read();
        let rows = state
            .rows
            .range((Bound::Included(range.start), end))
            .map(to_row);
        Ok(match direction {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        })
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        limits::check_batch(&batch)?;
        self.write().apply(batch)
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        Ok((self.clock)())
    }

    fn health(&self) -> Health {
        Health::Ready
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }
}

impl State {
    fn apply(&mut self, batch: Batch) -> Result<Version, CommitError> {
        for (index, (key, expect)) in batch.checks.iter().enumerate() {
            if !self.holds(key, *expect) {
                return Err(CommitError::Conflict(index));
            }
        }
        if batch.puts.is_empty() && batch.deletes.is_empty() {
            return Ok(Version(self.newest));
        }
        self.newest += 1;
        let version = Version(self.newest);
        for key in &batch.deletes {
            self.rows.remove(key);
        }
        for (key, value) in batch.puts {
            self.rows.insert(key, (version, value));
        }
        Ok(version)
    }

    fn holds(&self, key: &Key, expect: Expect) -> bool {
        match (expect, self.rows.get(key)) {
            (Expect::Absent, found) => found.is_none(),
            (Expect::Is(version), Some((found, _))) => *found == version,
            (Expect::Is(_), None) => false,
        }
    }
}

fn to_row((key, (version, value)): (&Key, &(Version, Bytes))) -> Row {
    (key.clone(), *version, value.clone())
}
