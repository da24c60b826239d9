//! The way back: taking the mark off a source.

use std::sync::Arc;

use crate::marks::{Mark, Marks};
use crate::ports::store::{Batch, Expect, Freshness, Store};
use crate::tables::MOVED;

use super::MoveError;

/// Takes the mark off a store whose rows were to go, or went, to another one, and answers what it
/// said. Safe while the conversion is unfinished: no engine opens its target, and it cannot be
/// finished any more. After it was finished, only `even_if_moved`.
///
/// # Errors
/// `NotMarked`, `Moved`, `Raced` when the mark changes meanwhile, or our own failure.
pub async fn undo(store: &Arc<dyn Store>, even_if_moved: bool) -> Result<Mark, MoveError> {
    let rows = store.get_many(&Marks::keys(), Freshness::Now).await?;
    let marks = Marks::take(&mut rows.into_iter())?;
    let (version, row) = marks.moved.ok_or(MoveError::NotMarked)?;
    let mark = row.mark();
    if let (Mark::Moved { to, since }, false) = (mark.clone(), even_if_moved) {
        return Err(MoveError::Moved { to, since });
    }
    let key = MOVED.key(&());
    store
        .commit(Batch {
            checks: vec![(key.clone(), Expect::Is(version))],
            puts: Vec::new(),
            deletes: vec![key],
        })
        .await?;
    Ok(mark)
}
