//! Moving a directory from one store to another: every row, page by page in key order, and only one
//! of the two stores to go on from.
//!
//! 1. [`Conversion::begin`] marks the source, so that no engine opens it any more and a sequencer
//!    that runs over it stops before it signs again; then it writes the progress row into the
//!    target, which no engine opens either.
//! 2. [`Conversion::copy`] writes a page and how far it came in one batch, so that a conversion that
//!    was killed goes on where it was.
//! 3. [`Conversion::compare`] reads both stores again and compares counts, hashes and heads.
//! 4. [`Conversion::finish`] marks the source as moved, and then takes the progress row away: at no
//!    moment do both stores open.
//!
//! Rows that name running processes and the marks themselves stay behind.

mod begin;
mod compare;
mod copy;
mod live;
mod undo;

use std::sync::Arc;

use crate::error::Internal;
use crate::marks::Mark;
use crate::ports::store::{Batch, CommitError, Expect, Key, Store, StoreError, Version};
use crate::table::Row;
use crate::tables::{ARRIVING, ArrivingRow, MOVED, MovedRow};
use crate::types::UnixMillis;

pub use compare::{Compared, Sum};
pub use undo::undo;

/// A conversion to begin, or to go on with.
#[derive(Clone, Debug)]
pub struct Order {
    /// Random: tells this conversion from others, if it is a new one.
    pub id: [u8; 16],
    /// The source as people name it, without secrets.
    pub from: String,
    /// The target as people name it, without secrets.
    pub to: String,
    /// Now.
    pub now: UnixMillis,
}

/// A conversion under way.
pub struct Conversion {
    from: Arc<dyn Store>,
    to: Arc<dyn Store>,
    moved: (Version, MovedRow),
    arriving: (Version, ArrivingRow),
}

/// How far a phase has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Rows done, those of earlier runs included.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Rows in all; `None` while that is not known.
    pub total: Option<u64>,
}

/// What a conversion is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rows are written to the target.
    Copy,
    /// Both stores are read again.
    Compare,
}

/// Why a conversion did not begin, go on or end. But for [`MoveError::Differs`], the same command
/// may be given again once the cause is gone.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The source holds no directory.
    #[error("the source holds no directory: there is nothing to move")]
    NoDirectory,
    /// The source bears the mark of another conversion, or is an unfinished copy itself.
    #[error("the source: {0}")]
    Marked(Mark),
    /// The target holds something.
    #[error(
        "the target is not empty, and what it holds is no part of this conversion: name an empty \
         one"
    )]
    NotEmpty,
    /// The target holds a part of another conversion.
    #[error(
        "the target holds a part of another conversion, from {from} since {since}: empty it, or \
         name an empty one"
    )]
    Foreign {
        /// Source of that conversion.
        from: String,
        /// When it began.
        since: UnixMillis,
    },
    /// The source's log is not the one that was being copied.
    #[error(
        "the source's log has changed since the conversion began, so a server has run over it: \
         call the conversion off with --undo, empty the target, and begin again"
    )]
    Changed,
    /// Processes run over the source.
    #[error("the source is in use by {}: stop them first", .0.join(", "))]
    InUse(Vec<String>),
    /// Another conversion runs between the same stores, or the mark was taken away.
    #[error("another conversion of the same stores runs, or this one was called off meanwhile")]
    Raced,
    /// The copy is not the same as the source.
    #[error(
        "the copy differs from the source ({source_sum} against {target_sum}): call the conversion \
         off with --undo, empty the target, and begin again"
    )]
    Differs {
        /// What the source holds.
        source_sum: Sum,
        /// What the target holds.
        target_sum: Sum,
    },
    /// The store bears no mark to take away.
    #[error("the store is not being moved and was not moved: there is nothing to undo")]
    NotMarked,
    /// Taking the mark away may fork the log.
    #[error(
        "the store was moved to {to} at {since}. If that one has been served, serving this one \
         again forks the log, and clients will refuse it. If it never was and never will be, say \
         --force"
    )]
    Moved {
        /// Where to.
        to: String,
        /// When that began.
        since: UnixMillis,
    },
    /// Our own failure.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl From<StoreError> for MoveError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<CommitError> for MoveError {
    fn from(error: CommitError) -> Self {
        if let CommitError::Conflict(_) = error {
            return Self::Raced;
        }
        Self::Internal(error.into())
    }
}

impl Conversion {
    /// Rows copied so far, by earlier runs too.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.arriving.1.rows
    }

    /// Marks the source as moved for good and opens the target to engines. Only after
    /// [`Conversion::compare`]. Two commits; a conversion that ends between them is ended by running
    /// it again.
    ///
    /// # Errors
    /// `Raced` when the conversion was called off meanwhile, or our own failure.
    pub async fn finish(self) -> Result<(), MoveError> {
        let (version, moved) = self.moved;
        if !moved.is_done {
            let done = MovedRow {
                is_done: true,
                ..moved
            };
            let put = (MOVED.key(&()), done.write());
            self.from
                .commit(guarded(put.0.clone(), version, put))
                .await?;
        }
        let key = ARRIVING.key(&());
        self.to
            .commit(Batch {
                checks: vec![(key.clone(), Expect::Is(self.arriving.0))],
                puts: Vec::new(),
                deletes: vec![key],
            })
            .await?;
        Ok(())
    }
}

/// A batch that writes one row if another is as it was.
fn guarded(key: Key, version: Version, put: (Key, bytes::Bytes)) -> Batch {
    Batch {
        checks: vec![(key, Expect::Is(version))],
        puts: vec![put],
        deletes: Vec::new(),
    }
}
