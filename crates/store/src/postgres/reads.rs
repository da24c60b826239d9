//! Reads: one statement each, hence one moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deadpool::managed::{Object, PoolError};
use engine::ports::store::{
    CommitError, Direction, Expect, Key, KeyRange, Row as StoreRow, StoreError, Version,
};
use engine::types::UnixMillis;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::condition::Condition;
use super::connection::{Parameters, RefusalKind};
use super::failure::{Failure, is_broken, reason};
use super::jitter;
use super::pool::{CONNECTION_WAIT, Opener, ReadPool, no_connection};
use super::statements::{Part, Parts, Query, parts_of};
use super::worker::Shared;
use crate::cache::{Record, RecordCache};

/// Versions by key; keys that are absent are not in it.
type Versions = HashMap<Vec<u8>, Version>;

/// Broken connections that a read puts up with: one that broke while nobody looked.
const BROKEN_MAX: u32 = 1;
/// Times that a read lets the database undo it for others to pass.
const AGAIN_MAX: u32 = 8;
/// Longest pause after one.
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// Scans of more rows than this have more time,
const LONG_SCAN_ROWS: u32 = 10_000;
/// this many times more.
const LONG_SCAN_PATIENCE: u32 = 12;

/// Time between two passes over the cached records in use: short enough for reads within 1 s.
const CONFIRM_EVERY: Duration = Duration::from_millis(400);
/// Versions that one statement of a pass asks for.
const CONFIRM_KEYS: usize = 1_000;

/// Reads through a pool.
pub(crate) struct Reader {
    pub(crate) pool: ReadPool,
    /// Longest wait for a statement.
    pub(crate) wait: Duration,
    /// Told of reads that find nobody: what cannot be read cannot be written either, and on a quiet
    /// server nothing else would notice.
    pub(crate) condition: Arc<Condition>,
}

impl Reader {
    /// Keys as of one moment.
    pub(crate) async fn get(&self, keys: &[Key]) -> Result<Vec<Record>, StoreError> {
        let split = Split::of(keys.iter());
        if split.is_empty() {
            return Ok(vec![None; keys.len()]);
        }
        let query = Query::Rows(split.parts());
        let rows = self.run(query, &split.parameters(), self.wait).await?;
        if let ([_], [row]) = (keys, rows.as_slice()) {
            return Ok(vec![Some(record(row)?)]);
        }
        let mut found: HashMap<&[u8], (Version, Bytes)> = HashMap::with_capacity(rows.len());
        for row in &rows {
            found.insert(row.try_get(0).map_err(unreadable)?, record(row)?);
        }
        Ok(keys
            .iter()
            .map(|key| found.get(key.as_ref()).cloned())
            .collect())
    }

    /// Rows of a range as of one moment.
    pub(crate) async fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<StoreRow>, StoreError> {
        if limit == 0 || range.end.as_ref().is_some_and(|end| *end <= range.start) {
            return Ok(Vec::new());
        }
        let query = Query::Range {
            parts: parts_of(range),
            has_end: range.end.is_some(),
            backward: direction == Direction::Backward,
        };
        let (start, end, most) = (range.start.as_ref(), range.end.as_deref(), i64::from(limit));
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&start];
        if let Some(end) = &end {
            parameters.push(end);
        }
        parameters.push(&most);
        let patience = if limit > LONG_SCAN_ROWS {
            LONG_SCAN_PATIENCE
        } else {
            1
        };
        let rows = self.run(query, &parameters, self.wait * patience).await?;
        rows.iter()
            .map(|row| {
                let key: &[u8] = row.try_get(0).map_err(unreadable)?;
                let (version, value) = record(row)?;
                Ok((Bytes::copy_from_slice(key), version, value))
            })
            .collect()
    }

    /// Evaluates checks as of one moment; answers the newest version among them.
    pub(crate) async fn check(&self, checks: &[(Key, Expect)]) -> Result<Version, CommitError> {
        let found = self.versions(checks.iter().map(|(key, _)| key)).await;
        let found = found.map_err(|error| CommitError::Unavailable(said(error)))?;
        match first_failed(checks, &found) {
            Some(index) => Err(CommitError::Conflict(index)),
            None => Ok(found.into_values().max().unwrap_or(Version(0))),
        }
    }

    /// The database's clock.
    pub(crate) async fn now(&self) -> Result<UnixMillis, StoreError> {
        let rows = self.run(Query::Now, &[], self.wait).await?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::Corrupt("no time".to_owned()))?;
        let millis: i64 = row.try_get(0).map_err(unreadable)?;
        Ok(UnixMillis(u64::try_from(millis).unwrap_or_default()))
    }

    async fn versions<'a>(
        &self,
        keys: impl Iterator<Item = &'a Key>,
    ) -> Result<Versions, StoreError> {
        let split = Split::of(keys);
        if split.is_empty() {
            return Ok(Versions::new());
        }
        let query = Query::Versions(split.parts());
        let rows = self.run(query, &split.parameters(), self.wait).await?;
        versions(&rows).map_err(unreadable)
    }

    async fn connection(&self) -> Result<Object<Opener>, StoreError> {
        self.pool.get().await.map_err(|error| {
            // Those that write may still have theirs when there is none left for a read.
            let nobody_answers = match &error {
                PoolError::Backend(refusal) => refusal.kind != RefusalKind::Full,
                PoolError::Timeout(_)
                | PoolError::Closed
                | PoolError::NoRuntimeSpecified
                | PoolError::PostCreateHook(_) => false,
            };
            let why = no_connection(error);
            if nobody_answers {
                self.condition.pause(&why);
            }
            StoreError::Unavailable(why)
        })
    }

    /// Runs a statement, again where that may help, within the time to connect and to answer once.
    async fn run(
        &self,
        query: Query,
        parameters: &Parameters<'_>,
        wait: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        let all = wait.saturating_add(CONNECTION_WAIT);
        match timeout(all, self.attempts(query, parameters, wait)).await {
            Ok(answered) => answered,
            Err(_) => {
                let waited = all.as_secs();
                let why = format!("the database did not answer within {waited} s");
                self.condition.pause(&why);
                Err(StoreError::Unavailable(why))
            }
        }
    }

    async fn attempts(
        &self,
        query: Query,
        parameters: &Parameters<'_>,
        wait: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        let (mut broken, mut undone) = (0, 0);
        loop {
            let mut connection = self.connection().await?;
            let error = match timeout(wait, connection.query(query, parameters)).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(_) => {
                    drop(Object::take(connection));
                    let waited = wait.as_secs();
                    let why = format!("the database did not answer within {waited} s");
                    self.condition.pause(&why);
                    return Err(StoreError::Unavailable(why));
                }
            };
            if is_broken(&error) {
                drop(Object::take(connection));
                broken += 1;
                if broken <= BROKEN_MAX {
                    continue;
                }
                self.condition.pause(&reason(&error));
            }
            if matches!(Failure::of(&error), Failure::Again(_)) && undone < AGAIN_MAX {
                undone += 1;
                sleep(jitter(PAUSE_MAX)).await;
                continue;
            }
            return Err(StoreError::Unavailable(reason(&error)));
        }
    }
}

/// Asks again and again whether the cached records in use are still the newest ones, so that those
/// which others do not change are answered without a read. Runs until it is ended.
pub(crate) async fn keep_confirming(reader: Arc<Reader>, shared: Arc<Shared>) {
    loop {
        sleep(CONFIRM_EVERY).await;
        if let Err(error) = confirm(&reader, &shared.cache).await {
            tracing::debug!("cached records grow old: {error}");
        }
    }
}

async fn confirm(reader: &Reader, cache: &RecordCache) -> Result<(), StoreError> {
    for due in cache.due(CONFIRM_KEYS) {
        let found = reader.versions(due.keys().iter()).await?;
        let versions: Vec<Option<Version>> = due
            .keys()
            .iter()
            .map(|key| found.get(key.as_ref()).copied())
            .collect();
        cache.confirm(due, &versions);
    }
    Ok(())
}

/// Keys by their table; the empty key, which no row has, is in none.
pub(crate) struct Split<'a>([Vec<&'a [u8]>; 3]);

impl<'a> Split<'a> {
    pub(crate) fn of(keys: impl Iterator<Item = &'a Key>) -> Self {
        let mut split: [Vec<&[u8]>; 3] = Default::default();
        for key in keys.filter(|key| !key.is_empty()) {
            if let Some(of_part) = split.get_mut(Part::of(key) as usize) {
                of_part.push(key);
            }
        }
        Self(split)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// The tables that have keys.
    pub(crate) fn parts(&self) -> Parts {
        self.0.each_ref().map(|keys| !keys.is_empty())
    }

    /// One array of keys for each of these tables.
    pub(crate) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0
            .iter()
            .filter(|keys| !keys.is_empty())
            .map(|keys| keys as &(dyn ToSql + Sync))
            .collect()
    }
}

/// Reads what [`Query::Versions`] answered.
///
/// # Errors
/// When the rows have another shape.
pub(crate) fn versions(rows: &[Row]) -> Result<Versions, tokio_postgres::Error> {
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, version(row)?)))
        .collect()
}

/// Index of the first check that does not hold.
pub(crate) fn first_failed(checks: &[(Key, Expect)], found: &Versions) -> Option<usize> {
    checks.iter().position(|(key, expect)| {
        let version = found.get(key.as_ref());
        match expect {
            Expect::Absent => version.is_some(),
            Expect::Is(expected) => version != Some(expected),
        }
    })
}

fn record(row: &Row) -> Result<(Version, Bytes), StoreError> {
    let value: &[u8] = row.try_get(2).map_err(unreadable)?;
    Ok((
        version(row).map_err(unreadable)?,
        Bytes::copy_from_slice(value),
    ))
}

fn version(row: &Row) -> Result<Version, tokio_postgres::Error> {
    let version: i64 = row.try_get(1)?;
    Ok(Version(u64::try_from(version).unwrap_or_default()))
}

fn unreadable(error: tokio_postgres::Error) -> StoreError {
    StoreError::Corrupt(format!("a row of the database has another shape: {error}"))
}

fn said(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(said) | StoreError::Corrupt(said) => said,
        StoreError::Busy(_) => error.to_string(),
    }
}
