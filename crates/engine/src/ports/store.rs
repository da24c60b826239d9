//! The storage port: reads, and one conditional, atomic, durable batch.
//!
//! # Contract
//! - **Atomic**: a batch is applied whole or not at all.
//! - **Durable**: `commit` returns `Ok` only after the batch is on disk (after its fsync).
//! - **Linearizable per key**: every check is evaluated against the state the batch is applied to;
//!   a failed check changes nothing.
//! - **Snapshot reads**: all keys of one `get_many`, and all rows of one `scan`, are read from one
//!   moment; a batch is seen by them whole or not at all. With [`Freshness::Within`] that holds for
//!   the batches of this process; those of others may be seen key by key.
//! - **Unknown outcome**: `CommitError::Unavailable` and `Fatal` may be returned for a batch that
//!   was nevertheless applied. Whoever retries must read again first.
//! - **Retries and time-outs** are the adapter's for reads, the caller's for `commit`.
//! - All methods may be called from any number of tasks at once.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Internal;
use crate::types::UnixMillis;

/// Most operations (checks, puts and deletes together) in one batch.
pub const BATCH_OPERATIONS_MAX: usize = 32_768;
/// Most bytes (keys and values together) in one batch: 16 MiB.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Longest key in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Longest value in bytes: 1 MiB.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// A key; at most [`KEY_BYTES_MAX`] bytes. The first byte names the table.
pub type Key = Bytes;

/// Opaque version of a key's value; changes on every write of that key and never repeats for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

/// What a batch expects of a key before it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key has no value.
    Absent,
    /// The key's value has this version.
    Is(Version),
}

/// One conditional batch. A key occurs at most once among puts and deletes together.
///
/// A batch without puts and deletes only evaluates its checks, and costs no fsync.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Conditions; all must hold.
    pub checks: Vec<(Key, Expect)>,
    /// Values to write.
    pub puts: Vec<(Key, Bytes)>,
    /// Keys to remove; removing an absent key is no error.
    pub deletes: Vec<Key>,
}

/// Half-open range of keys: `start <= key < end`; no `end` means up to the last key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key of the range.
    pub start: Key,
    /// First key after the range.
    pub end: Option<Key>,
}

/// Order in which a scan returns keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending byte order.
    Forward,
    /// Descending byte order.
    Backward,
}

/// How stale a read may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Sees every batch whose commit returned before the read began.
    Now,
    /// May come from a cache, at most this far behind other processes; never behind a batch that
    /// this process committed. With no time at all it is as fresh as `Now`: from memory only where
    /// nobody else writes, and worth being kept there.
    Within(Duration),
}

/// A row returned by a scan.
pub type Row = (Key, Version, Bytes);

/// The store. See the module's contract.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads keys in one round trip; the answer has one element per key, in order.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot answer now, `Corrupt` when what it holds is not readable.
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError>;

    /// Reads up to `limit` rows of a range.
    ///
    /// # Errors
    /// As [`Store::get_many`].
    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError>;

    /// Applies a batch and returns the version its puts got.
    ///
    /// # Errors
    /// See [`CommitError`].
    async fn commit(&self, batch: Batch) -> Result<Version, CommitError>;

    /// The store's clock, for leases only.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot answer now.
    async fn now(&self) -> Result<UnixMillis, StoreError>;

    /// Whether writes are accepted now, and if not, why: what `/readyz` and the log say.
    fn health(&self) -> Health;

    /// Whether other processes may have the store open at the same time. Whoever depends on what
    /// they do looks into the store now and then if so, and never otherwise.
    fn is_shared(&self) -> bool {
        false
    }

    /// Finishes the batches already handed in and releases what the store holds (files, locks,
    /// connections). Later commits answer `Fatal`, later reads `Unavailable` where the backend
    /// cannot read any more. Closing twice is no error; dropping a store closes it, but blocks.
    async fn close(&self) {}
}

/// State of a store as seen by an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes work.
    Ready,
    /// Reads work, writes are refused until the cause (a full disk, a lost connection) is gone;
    /// they resume without a restart.
    WritesPaused(String),
    /// Reads work, writes are refused for good: a restart or an operator is needed.
    ReadOnly(String),
}

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot answer now; trying later may help.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// What the store holds cannot be read: an operator is needed.
    #[error("store damaged: {0}")]
    Corrupt(String),
    /// A unit of work lost every race: 16 conflicts in a row.
    #[error("store busy: {0} conflicts in a row")]
    Busy(u32),
}

/// Why a batch was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A check failed; nothing changed. Holds the index into `checks` of the first failed one.
    #[error("check {0} failed")]
    Conflict(usize),
    /// Refused for now (disk full, connection lost). The outcome may be unknown.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The store takes no further writes in this process (failed fsync, damage, read-only).
    #[error("store stopped: {0}")]
    Fatal(String),
    /// The batch breaks a limit of the port; nothing changed. A bug in the caller.
    #[error("batch over the limits: {0}")]
    TooLarge(String),
}

impl From<StoreError> for Internal {
    fn from(error: StoreError) -> Self {
        let attempted = "reading the store";
        match error {
            StoreError::Unavailable(_) | StoreError::Busy(_) => Self::unavailable(attempted, error),
            StoreError::Corrupt(_) => Self::new(attempted, error),
        }
    }
}

impl From<CommitError> for Internal {
    fn from(error: CommitError) -> Self {
        let attempted = "writing to the store";
        match error {
            CommitError::Unavailable(_) | CommitError::Fatal(_) | CommitError::Conflict(_) => {
                Self::unavailable(attempted, error)
            }
            CommitError::TooLarge(_) => Self::new(attempted, error),
        }
    }
}
