//! The first step: who may move where, and the marks.

use std::sync::Arc;

use bytes::Bytes;

use crate::log::Head;
use crate::marks::Marks;
use crate::ports::store::{
    Batch, Direction, Expect, Freshness, Key, KeyRange, Store, StoreError, Version,
};
use crate::table::Row;
use crate::tables::{ARRIVING, ArrivingRow, LOG_HEAD, LogHeadRow, META, MOVED, MetaRow, MovedRow};

use super::live::processes;
use super::{Conversion, MoveError, Order};

/// A directory in a store, as far as a move needs it.
pub(super) struct Directory {
    meta: MetaRow,
    head: (Version, LogHeadRow),
}

/// Reads the marks of a store, who its directory is and where it stands; a store with a mark may
/// hold a part of one only. One read.
async fn look(store: &dyn Store) -> Result<(Marks, Option<Directory>), StoreError> {
    let [moved, arriving] = Marks::keys();
    let keys = [moved, arriving, META.key(&()), LOG_HEAD.key(&())];
    let mut rows = store.get_many(&keys, Freshness::Now).await?.into_iter();
    let marks = Marks::take(&mut rows)?;
    let (meta, head) = (rows.next().flatten(), rows.next().flatten());
    let (Some((_, meta)), Some((version, head))) = (meta, head) else {
        return Ok((marks, None));
    };
    let (meta, head) = (META.read(&meta)?, LOG_HEAD.read(&head)?);
    // A head whose parts do not agree is not worth copying.
    Head::read(&head)?;
    let head = (version, head);
    Ok((marks, Some(Directory { meta, head })))
}

/// The newest head of a store's log; `None` when it holds none. One read.
pub(super) async fn head(store: &dyn Store) -> Result<Option<Head>, StoreError> {
    let (_, directory) = look(store).await?;
    let row = directory.map(|directory| directory.head.1);
    row.as_ref().map(Head::read).transpose()
}

impl Conversion {
    /// Begins a conversion, or goes on with the one these two stores are marked with. No engine may
    /// run over the source: one that opens it later is refused.
    ///
    /// # Errors
    /// See [`MoveError`]; after any but `Internal` both stores are as they were before.
    pub async fn begin(
        from: Arc<dyn Store>,
        to: Arc<dyn Store>,
        order: Order,
    ) -> Result<Self, MoveError> {
        let (marks, source) = look(from.as_ref()).await?;
        if let Some((_, row)) = marks.arriving {
            return Err(MoveError::Marked(row.mark()));
        }
        let source = source.ok_or(MoveError::NoDirectory)?;
        let target = look_for_progress(to.as_ref()).await?;
        let moved = agree(&source, marks.moved, &target, &order)?;
        refuse_if_used(&from).await?;
        let moved = match moved {
            Some(moved) => moved,
            None => mark(&from, &source, &order).await?,
        };
        let arriving = match target {
            Target::Begun(version, row) => (version, *row),
            Target::Empty | Target::Other => begun(to.as_ref(), &source, &order, &moved.1).await?,
        };
        Ok(Self {
            from,
            to,
            moved,
            arriving,
        })
    }
}

/// What a target holds.
enum Target {
    Empty,
    Begun(Version, Box<ArrivingRow>),
    Other,
}

async fn look_for_progress(store: &dyn Store) -> Result<Target, StoreError> {
    let rows = store.get_many(&Marks::keys(), Freshness::Now).await?;
    let marks = Marks::take(&mut rows.into_iter())?;
    if let Some((version, row)) = marks.arriving {
        return Ok(Target::Begun(version, Box::new(row)));
    }
    let whole = KeyRange {
        start: Key::new(),
        end: None,
    };
    let rows = store.scan(whole, Direction::Forward, 1, Freshness::Now);
    Ok(if rows.await?.is_empty() {
        Target::Empty
    } else {
        Target::Other
    })
}

/// Whether the marks of both stores fit each other and the order; answers the source's, if it has
/// one already.
fn agree(
    source: &Directory,
    moved: Option<(Version, MovedRow)>,
    target: &Target,
    order: &Order,
) -> Result<Option<(Version, MovedRow)>, MoveError> {
    match (moved, target) {
        (Some((version, moved)), Target::Begun(_, begun)) if begun.id == moved.id => {
            let same_log = begun.log_key == source.meta.log_key;
            if !same_log || begun.note != source.head.1.note {
                return Err(MoveError::Changed);
            }
            Ok(Some((version, moved)))
        }
        // Killed between the two marks.
        (Some((version, moved)), Target::Empty) if !moved.is_done && moved.to == order.to => {
            Ok(Some((version, moved)))
        }
        (Some((_, moved)), _) => Err(MoveError::Marked(moved.mark())),
        (None, Target::Empty) => Ok(None),
        (None, Target::Begun(_, begun)) => Err(MoveError::Foreign {
            from: begun.from.clone(),
            since: crate::types::UnixMillis(begun.since_ms),
        }),
        (None, Target::Other) => Err(MoveError::NotEmpty),
    }
}

/// Marks the source, if no process uses it.
///
/// The head is written anew, as it is: a sequencer that has read it can commit nothing on it any
/// more, and finds the mark when it reads again. A process makes itself known before it looks for
/// the mark, so one that is not found here will find the mark.
async fn mark(
    from: &Arc<dyn Store>,
    source: &Directory,
    order: &Order,
) -> Result<(Version, MovedRow), MoveError> {
    let row = MovedRow {
        id: order.id.to_vec(),
        to: order.to.clone(),
        since_ms: order.now.0,
        is_done: false,
    };
    let (version, head) = &source.head;
    let batch = Batch {
        checks: vec![
            (MOVED.key(&()), Expect::Absent),
            (LOG_HEAD.key(&()), Expect::Is(*version)),
        ],
        puts: vec![
            (MOVED.key(&()), row.write()),
            (LOG_HEAD.key(&()), head.write()),
        ],
        deletes: Vec::new(),
    };
    let version = from.commit(batch).await?;
    if let Err(error) = refuse_if_used(from).await {
        let key = MOVED.key(&());
        from.commit(Batch {
            checks: vec![(key.clone(), Expect::Is(version))],
            puts: Vec::new(),
            deletes: vec![key],
        })
        .await?;
        return Err(error);
    }
    Ok((version, row))
}

async fn refuse_if_used(from: &Arc<dyn Store>) -> Result<(), MoveError> {
    let live = processes(from).await?;
    if live.is_empty() {
        return Ok(());
    }
    Err(MoveError::InUse(live))
}

/// Writes the progress row into the empty target: from now on no engine makes a directory there.
async fn begun(
    to: &dyn Store,
    source: &Directory,
    order: &Order,
    moved: &MovedRow,
) -> Result<(Version, ArrivingRow), MoveError> {
    let row = ArrivingRow {
        id: moved.id.clone(),
        from: order.from.clone(),
        since_ms: moved.since_ms,
        log_key: source.meta.log_key.clone(),
        note: source.head.1.note.clone(),
        next: Some(Bytes::new()),
        rows: 0,
        bytes: 0,
    };
    let batch = Batch {
        checks: vec![
            (META.key(&()), Expect::Absent),
            (ARRIVING.key(&()), Expect::Absent),
        ],
        puts: vec![(ARRIVING.key(&()), row.write())],
        deletes: Vec::new(),
    };
    Ok((to.commit(batch).await?, row))
}
