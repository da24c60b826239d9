//! The engine's handle: how rows are laid out in fjall, and how they are read and written.
//!
//! Keyspace `sys` (always number 1) holds one row, `commit`: commit number and newest version, each
//! `u64` big-endian. Keyspace `rows` holds the rows: `version: u64` big-endian, then the value.

use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use engine::ports::store::{Direction, Key, KeyRange, Row, StoreError, Version};
use fjall::config::CompressionPolicy;
use fjall::{
    CompressionType, Database, Guard, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Slice,
};

use super::group::Writes;
use super::{COMMIT_KEY, SYS_KEYSPACE};
use crate::cache::Record;

/// Rows in memory before they are written out: bounds the memory and the journal read at opening.
const ROWS_MEMTABLE_BYTES: u64 = 32 << 20;
/// `sys` gets one small row a group; it must be written out now and then so that journals can go.
const SYS_MEMTABLE_BYTES: u64 = 1 << 20;
/// Journals above this make the engine write out its memory: bounds the time of opening.
const JOURNALS_BYTES_MAX: u64 = 128 << 20;
const VERSION_BYTES: usize = 8;

/// The running numbers, as of the newest group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Groups committed since the store was made.
    pub(crate) commit: u64,
    /// Newest version given to a row.
    pub(crate) version: u64,
}

pub(crate) struct Handle {
    database: Database,
    rows: Keyspace,
    sys: Keyspace,
}

impl Handle {
    /// Opens the engine's directory, or makes it.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> fjall::Result<Self> {
        let database = Database::builder(dir)
            .cache_size(cache_bytes)
            .journal_compression(CompressionType::None)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .worker_threads(2)
            .open()?;
        // The order fixes the numbers of the keyspaces, which the journal's reader relies on.
        let sys = database.keyspace("sys", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(SYS_MEMTABLE_BYTES)
                .data_block_compression_policy(CompressionPolicy::disabled())
        })?;
        let rows = database.keyspace("rows", || {
            KeyspaceCreateOptions::default().max_memtable_size(ROWS_MEMTABLE_BYTES)
        })?;
        if sys.id() != SYS_KEYSPACE {
            return Err(fjall::Error::Unrecoverable);
        }
        Ok(Self {
            database,
            rows,
            sys,
        })
    }

    /// The numbers of the newest group on disk; zeros in a new store.
    pub(crate) fn counters(&self) -> Result<Counters, StoreError> {
        let Some(bytes) = self.sys.get(COMMIT_KEY).map_err(|error| failure(&error))? else {
            return Ok(Counters::default());
        };
        let counters = bytes.split_first_chunk::<8>().and_then(|(commit, rest)| {
            let version = rest.first_chunk::<8>()?;
            Some(Counters {
                commit: u64::from_be_bytes(*commit),
                version: u64::from_be_bytes(*version),
            })
        });
        counters.ok_or_else(|| StoreError::Corrupt("the commit number is unreadable".to_owned()))
    }

    /// Whether the engine still takes writes. Work of its own that failed, as writing out its memory to
    /// a disk that was full, ends that until it is opened anew, and shows nowhere else before a write.
    pub(crate) fn check(&self) -> fjall::Result<()> {
        self.database.persist(PersistMode::Buffer)
    }

    /// Keys as of one moment. One key, too, is read from a snapshot: without one the engine shows rows
    /// of a batch that it has begun to apply, and the next read may not have them.
    pub(crate) fn get(&self, keys: &[Key]) -> Result<Vec<Record>, StoreError> {
        let snapshot = self.database.snapshot();
        let get = |key: &Key| {
            let found = if key.is_empty() {
                Ok(None)
            } else {
                snapshot.get(&self.rows, key)
            };
            decode_found(key, found)
        };
        keys.iter().map(get).collect()
    }

    /// Rows of a range as of one moment.
    pub(crate) fn scan(
        &self,
        range: &KeyRange,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let end = match &range.end {
            Some(end) if *end <= range.start => return Ok(Vec::new()),
            Some(end) => Bound::Excluded(end.as_ref()),
            None => Bound::Unbounded,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let bounds = (Bound::Included(range.start.as_ref()), end);
        let rows = self
            .database
            .snapshot()
            .range::<&[u8], _>(&self.rows, bounds);
        match direction {
            Direction::Forward => rows.take(limit).map(decode_row).collect(),
            Direction::Backward => rows.rev().take(limit).map(decode_row).collect(),
        }
    }

    /// Every row in key order, as of one moment.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Result<Row, StoreError>> {
        self.database.snapshot().iter(&self.rows).map(decode_row)
    }

    /// Moves the rows in memory into tables.
    #[cfg(test)]
    pub(crate) fn write_out(&self) -> fjall::Result<()> {
        self.rows.rotate_memtable_and_wait()
    }

    /// A batch that makes `writes` visible and durable when it is committed.
    pub(crate) fn batch(&self, writes: &Writes, counters: Counters) -> fjall::OwnedWriteBatch {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (key, (version, value)) in writes {
            match value {
                Some(value) => batch.insert(&self.rows, key.as_ref(), encode(*version, value)),
                None => batch.remove(&self.rows, key.as_ref()),
            }
        }
        let mut numbers = counters.commit.to_be_bytes().to_vec();
        numbers.extend_from_slice(&counters.version.to_be_bytes());
        batch.insert(&self.sys, COMMIT_KEY, numbers);
        batch
    }
}

fn encode(version: Version, value: &Bytes) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VERSION_BYTES + value.len());
    bytes.extend_from_slice(&version.0.to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

fn decode_found(key: &Key, found: fjall::Result<Option<Slice>>) -> Result<Record, StoreError> {
    match found {
        Ok(Some(bytes)) => decode(key, &bytes).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

fn decode_row(guard: Guard) -> Result<Row, StoreError> {
    let (key, bytes) = guard.into_inner().map_err(|error| failure(&error))?;
    let (version, value) = decode(&key, &bytes)?;
    Ok((Bytes::copy_from_slice(&key), version, value))
}

fn decode(key: &[u8], bytes: &[u8]) -> Result<(Version, Bytes), StoreError> {
    let Some((version, value)) = bytes.split_first_chunk::<VERSION_BYTES>() else {
        // The table only: keys hold names, and errors are logged.
        let table = key.first().copied().unwrap_or_default();
        return Err(StoreError::Corrupt(format!(
            "a row of table {table:02x} has no version"
        )));
    };
    Ok((
        Version(u64::from_be_bytes(*version)),
        Bytes::copy_from_slice(value),
    ))
}

/// What a failed read of the engine means to a caller.
pub(crate) fn failure(error: &fjall::Error) -> StoreError {
    match io_error(error) {
        Some(io) if io.kind() != std::io::ErrorKind::InvalidData => {
            StoreError::Unavailable(format!("reading failed: {io}"))
        }
        _ => StoreError::Corrupt(format!("the engine cannot read its files: {error}")),
    }
}

/// The input or output error inside an engine's error, if that is what it is.
pub(crate) fn io_error(error: &fjall::Error) -> Option<&std::io::Error> {
    if let fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) = error {
        return Some(io);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_row_is_told_without_its_key() {
        let error = decode(b"\x11alice", b"short").unwrap_err().to_string();
        assert!(
            error.contains("table 11") && !error.contains("alice"),
            "{error}"
        );
    }
}
