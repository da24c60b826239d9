//! The unit of work: reads that are checked, buffered writes, one commit.

mod doubts;
mod effect;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Internal;
use crate::limits::{CONFLICT_PAUSE_MAX, CONFLICTS_MAX, OUTCOME_WAIT};
use crate::ports::rng::{Rng, draw};
use crate::ports::store::{
    Batch, CommitError, Direction, Expect, Freshness, Key, KeyRange, Store, StoreError, Version,
};
use crate::ports::timer::Timer;
use crate::table::{Row, Table, TableKey};

pub(crate) use doubts::Doubts;
pub(crate) use effect::{Effect, EffectSink, NameChange, NameState, Queued};

/// What a unit of work runs with: the ports it needs and where its effects go.
pub(crate) struct Unit<'e> {
    pub(crate) store: &'e Arc<dyn Store>,
    pub(crate) timer: &'e Arc<dyn Timer>,
    pub(crate) rng: &'e Arc<dyn Rng>,
    pub(crate) sink: &'e dyn EffectSink,
}

/// One try of a unit of work. Reads see its own puts; nothing is written before the end.
pub(crate) struct Tx<'e> {
    store: &'e Arc<dyn Store>,
    seen: HashMap<Key, Seen>,
    writes: BTreeMap<Key, Option<Bytes>>,
    effects: Vec<Effect>,
}

struct Seen {
    row: Option<(Version, Bytes)>,
    checked: bool,
}

impl<'e> Tx<'e> {
    pub(crate) fn begin(unit: &Unit<'e>) -> Self {
        Self {
            store: unit.store,
            seen: HashMap::new(),
            writes: BTreeMap::new(),
            effects: Vec::new(),
        }
    }

    /// Reads a row and makes the commit depend on it not having changed.
    ///
    /// # Errors
    /// As [`Store::get_many`], and `Corrupt` when the row is malformed.
    pub(crate) async fn get<K: TableKey, V: Row>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        let key = table.key(key);
        let value = self.read(&key).await?;
        if let Some(seen) = self.seen.get_mut(&key) {
            seen.checked = true;
        }
        value.map(|bytes| table.read(&bytes)).transpose()
    }

    /// Reads a row without a check: for rows that never change, or that a checked row guards.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub(crate) async fn peek<K: TableKey, V: Row>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        let value = self.read(&table.key(key)).await?;
        value.map(|bytes| table.read(&bytes)).transpose()
    }

    /// Reads keys in one round trip, so that the gets that follow need none.
    ///
    /// # Errors
    /// As [`Store::get_many`].
    pub(crate) async fn prefetch(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        let wanted: Vec<Key> = keys
            .iter()
            .filter(|key| !self.seen.contains_key(*key))
            .cloned()
            .collect();
        let rows = self.store.get_many(&wanted, Freshness::Now).await?;
        for (key, row) in wanted.into_iter().zip(rows) {
            self.seen.insert(
                key,
                Seen {
                    row,
                    checked: false,
                },
            );
        }
        Ok(())
    }

    /// Reads rows of a range as they are stored, without a check and without this unit's writes.
    ///
    /// # Errors
    /// As [`Store::scan`], and `Corrupt` when a row is malformed.
    pub(crate) async fn scan<K: TableKey, V: Row>(
        &self,
        table: &Table<K, V>,
        range: KeyRange,
        limit: u32,
    ) -> Result<Vec<(K, Version, V)>, StoreError> {
        scan_table(self.store, table, range, limit).await
    }

    /// Writes a row at commit.
    pub(crate) fn put<K: TableKey, V: Row>(&mut self, table: &Table<K, V>, key: &K, value: &V) {
        self.writes.insert(table.key(key), Some(value.write()));
    }

    /// Writes a row that cannot be there yet, its key being random or guarded by a checked row; else
    /// the unit loses every race. Cheaper than [`Tx::put`], for which a database locks old rows.
    pub(crate) fn create<K: TableKey, V: Row>(&mut self, table: &Table<K, V>, key: &K, value: &V) {
        let key = table.key(key);
        let (row, checked) = (None, true);
        let seen = self.seen.entry(key.clone());
        seen.or_insert(Seen { row, checked }).checked = true;
        self.writes.insert(key, Some(value.write()));
    }

    /// Removes a row at commit.
    pub(crate) fn delete<K: TableKey, V: Row>(&mut self, table: &Table<K, V>, key: &K) {
        self.writes.insert(table.key(key), None);
    }

    /// Makes the commit depend on a row being as a scan saw it. Not for rows that this unit also
    /// reads by [`Tx::get`].
    pub(crate) fn expect<K: TableKey, V: Row>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        version: Version,
    ) {
        let row = Some((version, Bytes::new()));
        self.seen
            .insert(table.key(key), Seen { row, checked: true });
    }

    /// Adds something to do in this process once the commit is durable.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    async fn read(&mut self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        if !self.seen.contains_key(key) {
            self.prefetch(std::slice::from_ref(key)).await?;
        }
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        Ok(self
            .seen
            .get(key)
            .and_then(|seen| seen.row.as_ref())
            .map(|(_, bytes)| bytes.clone()))
    }

    /// The batch that commits this unit; without its writes, the one that only checks its reads.
    fn into_batch(self, with_writes: bool) -> (Batch, Vec<Effect>) {
        let mut batch = Batch::default();
        for (key, seen) in self.seen {
            if seen.checked {
                let expect = seen
                    .row
                    .map_or(Expect::Absent, |(version, _)| Expect::Is(version));
                batch.checks.push((key, expect));
            }
        }
        if !with_writes {
            return (batch, Vec::new());
        }
        for (key, value) in self.writes {
            match value {
                Some(value) => batch.puts.push((key, value)),
                None => batch.deletes.push(key),
            }
        }
        (batch, self.effects)
    }
}

/// Reads rows of a table.
///
/// # Errors
/// As [`Store::scan`], and `Corrupt` when a row is malformed.
pub(crate) async fn scan_table<K: TableKey, V: Row>(
    store: &Arc<dyn Store>,
    table: &Table<K, V>,
    range: KeyRange,
    limit: u32,
) -> Result<Vec<(K, Version, V)>, StoreError> {
    let rows = store
        .scan(range, Direction::Forward, limit, Freshness::Now)
        .await?;
    rows.into_iter()
        .map(|(key, version, value)| Ok((table.read_key(&key)?, version, table.read(&value)?)))
        .collect()
}

/// What became of one try.
pub(crate) enum Settled<T> {
    Done(T),
    Again,
}

impl Unit<'_> {
    /// Ends one try: commits a success, checks the reads of a refusal, and says whether to try again.
    ///
    /// A refusal is checked by a batch without writes, so that it never rests on a torn view. That
    /// costs no fsync. So is a failure of our own, unless the store was away: rows that seem not to
    /// belong together may have been read from two moments.
    pub(crate) async fn settle<T, E: From<Internal> + Refusal>(
        &self,
        tx: Tx<'_>,
        outcome: Result<T, E>,
        verb: &'static str,
        tries: &mut u32,
    ) -> Settled<Result<T, E>> {
        if outcome.as_ref().is_err_and(is_unavailable) {
            return Settled::Done(outcome);
        }
        let (batch, effects) = tx.into_batch(outcome.is_ok());
        if batch.checks.is_empty() && batch.puts.is_empty() && batch.deletes.is_empty() {
            return Settled::Done(outcome);
        }
        if let (Some(reason), true) = (self.sink.halted(), outcome.is_ok()) {
            let refused = CommitError::Fatal(reason.into());
            return Settled::Done(Err(Internal::from(refused).into()));
        }
        let puts = batch.puts.clone();
        match self.store.commit(batch).await {
            Ok(_) => {
                self.sink.apply(effects);
                Settled::Done(outcome)
            }
            Err(CommitError::Conflict(_)) => {
                *tries += 1;
                if *tries >= CONFLICTS_MAX {
                    tracing::warn!(verb, conflicts = *tries, "unit of work lost every race");
                    return Settled::Done(Err(Internal::from(StoreError::Busy(*tries)).into()));
                }
                self.pause(*tries).await;
                Settled::Again
            }
            // The failure that led here says more than one of checking it.
            Err(_)
                if outcome
                    .as_ref()
                    .is_err_and(|error| error.internal().is_some()) =>
            {
                Settled::Done(outcome)
            }
            Err(error) => {
                // The caller has waited long enough for a store that is away.
                let holds = tokio::select! {
                    holds = self.holds(&puts) => holds,
                    () = self.timer.sleep(OUTCOME_WAIT) => false,
                };
                if holds {
                    self.sink.apply(effects);
                } else {
                    self.sink.doubt(effects);
                }
                Settled::Done(Err(Internal::from(error).into()))
            }
        }
    }

    /// Whether the store has all these rows: then a batch of unknown outcome was applied, and its
    /// effects are due. It may not be durable yet, so it is not reported as done.
    async fn holds(&self, puts: &[(Key, Bytes)]) -> bool {
        let keys: Vec<Key> = puts.iter().map(|(key, _)| key.clone()).collect();
        let Ok(rows) = self.store.get_many(&keys, Freshness::Now).await else {
            return false;
        };
        let is_put = |(row, (_, put)): (Option<(Version, Bytes)>, &(Key, Bytes))| {
            row.is_some_and(|(_, found)| found == *put)
        };
        !puts.is_empty() && rows.into_iter().zip(puts).all(is_put)
    }

    /// A random pause that grows with the number of conflicts; none after the first.
    async fn pause(&self, tries: u32) {
        if tries < 2 {
            return;
        }
        let most = Duration::from_micros(250)
            .saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX))
            .min(CONFLICT_PAUSE_MAX);
        let share = f64::from(u32::from_be_bytes(draw(self.rng.as_ref()))) / f64::from(u32::MAX);
        self.timer.sleep(most.mul_f64(share)).await;
    }
}

/// Errors a unit of work may end with.
pub(crate) trait Refusal {
    /// Our own failure, if it is one, and no decision that rests on what was read.
    fn internal(&self) -> Option<&Internal>;
}

impl Refusal for Internal {
    fn internal(&self) -> Option<&Internal> {
        Some(self)
    }
}

/// Whether the store was away, so that asking it once more is in vain.
fn is_unavailable(error: &impl Refusal) -> bool {
    error.internal().is_some_and(Internal::is_unavailable)
}

/// Runs a body as one unit of work: read, decide, commit, and on a conflict again.
///
/// The body may run several times: no outside calls, no randomness, no clock inside it.
macro_rules! in_tx {
    ($engine:expr, $verb:literal, |$tx:ident| $body:expr) => {{
        let unit = $engine.unit();
        let mut tries = 0_u32;
        loop {
            let mut held = $crate::tx::Tx::begin(&unit);
            let outcome = {
                let $tx = &mut held;
                $body
            };
            match unit.settle(held, outcome, $verb, &mut tries).await {
                $crate::tx::Settled::Done(outcome) => break outcome,
                $crate::tx::Settled::Again => {}
            }
        }
    }};
}
pub(crate) use in_tx;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
