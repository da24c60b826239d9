//! Names whose change got no answer from the store (`tx::Doubts`), for the name index.

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::READ_KEYS_MAX;
use crate::ports::store::{Freshness, Key};
use crate::tables::{CHAIN_HEADS, NAMES};
use crate::tx::{NameChange, NameState};
use crate::types::{Handle, Name, Seqno};

use super::follow::{load, state};
use super::row::malformed;

/// Looks all names up once, and drops those of which nothing more can come. Two round trips for each
/// 1,024 names, none without any.
///
/// # Errors
/// Our own failures only; then all of them stay.
pub(crate) async fn look(engine: &Engine) -> Result<(), Internal> {
    let (doubts, now) = (engine.name_doubts(), engine.ports().timer.monotonic());
    if doubts.is_load_due(now) {
        load(engine).await?;
        doubts.loaded(now);
    }
    for part in doubts.keys().chunks(READ_KEYS_MAX) {
        for change in changes(engine, part).await? {
            engine.name_index().apply(&change);
        }
    }
    doubts.settle(now);
    Ok(())
}

/// What has become of up to 1,024 names: their heads, then their rows, which may be newer than the
/// heads, but never older.
async fn changes(engine: &Engine, part: &[Name]) -> Result<Vec<NameChange>, Internal> {
    let (store, label_key) = (&engine.ports().store, &engine.ports().label_key);
    let label = |name: &Name| Handle::Name(name.clone()).label(label_key);
    let keys: Vec<Key> = part.iter().map(|n| CHAIN_HEADS.key(&label(n))).collect();
    let heads = store.get_many(&keys, Freshness::Now).await?;
    let keys: Vec<Key> = part.iter().map(|name| NAMES.key(name)).collect();
    let rows = store.get_many(&keys, Freshness::Now).await?;
    let mut changes = Vec::with_capacity(part.len());
    for ((name, head), row) in part.iter().zip(heads).zip(rows) {
        // Without a head nobody has had the name, so far.
        let Some((_, head)) = head else { continue };
        let seqno = Seqno::new(CHAIN_HEADS.read(&head)?.seqno);
        let row = row.map(|(_, row)| NAMES.read(&row)).transpose()?;
        changes.push(NameChange {
            name: name.clone(),
            seqno: seqno.ok_or_else(|| malformed("chain head"))?,
            state: row.map_or(NameState::Gone, |row| state(&row)),
        });
    }
    Ok(changes)
}
