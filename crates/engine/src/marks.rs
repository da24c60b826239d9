//! Marks of a store whose rows go to another one, or come from one: only one of the two may be
//! served. Two servers over two copies would sign different roots for the same size of one log.

use std::fmt;

use crate::ports::store::{Freshness, Key, Store, StoreError, Version};
use crate::tables::{ARRIVING, ArrivingRow, MOVED, MovedRow};
use crate::types::UnixMillis;

/// Why a store that holds a directory is not to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its rows are being copied to another store.
    Moving {
        /// The other store, for people.
        to: String,
        /// When that began.
        since: UnixMillis,
    },
    /// Its rows were copied to another store, all of them.
    Moved {
        /// The other store, for people.
        to: String,
        /// When that began.
        since: UnixMillis,
    },
    /// It does not have all rows yet of the store it is a copy of.
    Arriving {
        /// The other store, for people.
        from: String,
        /// When that began.
        since: UnixMillis,
    },
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moving { to, since } => write!(
                f,
                "this store is being moved to {to} since {since}: go on with the same `sealbook \
                 store convert`, or call it off with `sealbook store convert --undo --from` and \
                 the URL of this store"
            ),
            Self::Moved { to, since } => write!(
                f,
                "this store was moved to {to} at {since}: use that one. Serving from both forks \
                 the log; should the other never have been served, take the mark away with \
                 `sealbook store convert --undo --force --from` and the URL of this store"
            ),
            Self::Arriving { from, since } => write!(
                f,
                "this store is an unfinished copy of {from}, begun at {since}: go on with the same \
                 `sealbook store convert`, or empty it"
            ),
        }
    }
}

impl std::error::Error for Mark {}

impl MovedRow {
    pub(crate) fn mark(&self) -> Mark {
        let (to, since) = (self.to.clone(), UnixMillis(self.since_ms));
        if self.is_done {
            Mark::Moved { to, since }
        } else {
            Mark::Moving { to, since }
        }
    }
}

impl ArrivingRow {
    pub(crate) fn mark(&self) -> Mark {
        Mark::Arriving {
            from: self.from.clone(),
            since: UnixMillis(self.since_ms),
        }
    }
}

/// Both marks of a store, with their versions.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) moved: Option<(Version, MovedRow)>,
    pub(crate) arriving: Option<(Version, ArrivingRow)>,
}

impl Marks {
    /// The keys of the rows, to be read with others; [`Marks::take`] takes what was found.
    pub(crate) fn keys() -> [Key; 2] {
        [MOVED.key(&()), ARRIVING.key(&())]
    }

    /// Takes the rows of [`Marks::keys`] from the front.
    ///
    /// # Errors
    /// `Corrupt` when one is malformed.
    pub(crate) fn take(
        rows: &mut impl Iterator<Item = Option<(Version, bytes::Bytes)>>,
    ) -> Result<Self, StoreError> {
        let (moved, arriving) = (rows.next().flatten(), rows.next().flatten());
        let moved = moved.map(|(version, row)| Ok((version, MOVED.read(&row)?)));
        let arriving = arriving.map(|(version, row)| Ok((version, ARRIVING.read(&row)?)));
        Ok(Self {
            moved: moved.transpose()?,
            arriving: arriving.transpose()?,
        })
    }

    /// What keeps the store from being served.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let moved = self.moved.as_ref().map(|(_, row)| row.mark());
        moved.or_else(|| self.arriving.as_ref().map(|(_, row)| row.mark()))
    }
}

/// What keeps a store from being served; `None` for any other store, an empty one too. One read.
///
/// # Errors
/// As [`Store::get_many`].
pub async fn mark(store: &dyn Store) -> Result<Option<Mark>, StoreError> {
    let rows = store.get_many(&Marks::keys(), Freshness::Now).await?;
    Marks::take(&mut rows.into_iter()).map(|marks| marks.mark())
}
