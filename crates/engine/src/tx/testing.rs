//! A bench for unit tests: ports of this build of the crate, as those of `testkit` are of another.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::ports::rng::Rng;
use crate::ports::store::{
    Batch, CommitError, Direction, Expect, Freshness, Health, Key, KeyRange, Row, Store,
    StoreError, Version,
};
use crate::ports::timer::Timer;
use crate::tx::{Effect, EffectSink, Unit};
use crate::types::UnixMillis;

/// Rows in memory, the batches they came by, and conflicts on demand.
#[derive(Default)]
pub(crate) struct Rows {
    rows: Mutex<BTreeMap<Key, (Version, Bytes)>>,
    /// Every batch handed in, refused ones included.
    pub(crate) batches: Mutex<Vec<Batch>>,
    /// This many commits to come lose a race.
    pub(crate) conflicts: AtomicU32,
    now: UnixMillis,
    is_shared: bool,
}

impl Rows {
    /// No rows, a clock that stands.
    pub(crate) fn at(now: UnixMillis, is_shared: bool) -> Self {
        Self {
            now,
            is_shared,
            ..Self::default()
        }
    }

    /// The rows of a table.
    pub(crate) fn table(&self, tag: u8) -> Vec<(Key, Bytes)> {
        let rows = self.rows.lock().unwrap();
        let of_table = rows.iter().filter(|(key, _)| key.first() == Some(&tag));
        of_table
            .map(|(key, (_, value))| (key.clone(), value.clone()))
            .collect()
    }

    /// Writes a row behind everybody's back.
    pub(crate) fn write(&self, key: Key, value: Bytes) {
        let version = Version(1_000_000 + self.batches.lock().unwrap().len() as u64);
        self.rows.lock().unwrap().insert(key, (version, value));
    }
}

#[async_trait]
impl Store for Rows {
    async fn get_many(
        &self,
        keys: &[Key],
        _fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        let rows = self.rows.lock().unwrap();
        Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
    }

    async fn scan(
        &self,
        range: KeyRange,
        _direction: Direction,
        limit: u32,
        _fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = self.rows.lock().unwrap();
        let inside =
            |key: &&Key| **key >= range.start && range.end.as_ref().is_none_or(|end| *key < end);
        let found = rows.iter().filter(|(key, _)| inside(key));
        let found = found.map(|(key, (version, value))| (key.clone(), *version, value.clone()));
        Ok(found.take(limit as usize).collect())
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        let mut batches = self.batches.lock().unwrap();
        batches.push(batch.clone());
        let less = |left: u32| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if self.conflicts.fetch_update(order, order, less).is_ok() {
            return Err(CommitError::Conflict(0));
        }
        let mut rows = self.rows.lock().unwrap();
        for (at, (key, expect)) in batch.checks.iter().enumerate() {
            let holds = match (expect, rows.get(key)) {
                (Expect::Absent, found) => found.is_none(),
                (Expect::Is(version), found) => found.is_some_and(|(found, _)| found == version),
            };
            if !holds {
                return Err(CommitError::Conflict(at));
            }
        }
        let version = Version(batches.len() as u64);
        for key in &batch.deletes {
            rows.remove(key);
        }
        for (key, value) in batch.puts {
            rows.insert(key, (version, value));
        }
        Ok(version)
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        Ok(self.now)
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn health(&self) -> Health {
        Health::Ready
    }
}

/// A clock that a test sets; waiting takes no time.
#[derive(Default)]
pub(crate) struct Hands(Mutex<Duration>);

impl Hands {
    /// Moves the clock on.
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

#[async_trait]
impl Timer for Hands {
    fn now(&self) -> UnixMillis {
        UnixMillis(0).plus(*self.0.lock().unwrap())
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    async fn sleep(&self, _duration: Duration) {}
}

struct Counter(AtomicU8);

impl Rng for Counter {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0.fetch_add(1, Ordering::SeqCst));
    }
}

/// What units of work need, and what came of them.
pub(crate) struct Bench {
    pub(crate) rows: Arc<Rows>,
    store: Arc<dyn Store>,
    timer: Arc<dyn Timer>,
    rng: Arc<dyn Rng>,
    pub(crate) effects: Mutex<Vec<Effect>>,
    pub(crate) halted: Option<String>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let rows = Arc::new(Rows::default());
        Self {
            store: rows.clone(),
            rows,
            timer: Arc::new(Hands::default()),
            rng: Arc::new(Counter(AtomicU8::new(0))),
            effects: Mutex::default(),
            halted: None,
        }
    }

    pub(crate) fn unit(&self) -> Unit<'_> {
        Unit {
            store: &self.store,
            timer: &self.timer,
            rng: &self.rng,
            sink: self,
        }
    }
}

impl EffectSink for Bench {
    fn apply(&self, effects: Vec<Effect>) {
        self.effects.lock().unwrap().extend(effects);
    }

    fn doubt(&self, _effects: Vec<Effect>) {}

    fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }
}
