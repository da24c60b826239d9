//! The name index and the log: loading, and on a shared store following what other processes do.
//!
//! The log says which subjects changed, by label and in order. Their chain heads lead from a label to
//! the name while somebody holds it; a name that was given up is found for five minutes in a row of
//! its own. What became of the name is read from the names table and applied under the head's seqno,
//! so that it never undoes something newer. The state read may be newer than the head, but never
//! older; then the entry of the newer link follows, and with it the same state under its own seqno.

use std::collections::BTreeMap;

use merkle::entry::EntryKind;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{
    FOLLOW_ENTRIES_MAX, FOLLOW_STEP_ENTRIES, INDEX_LOAD_ROWS, READ_KEYS_MAX, RELEASED_SURE,
};
use crate::ports::store::{Freshness, Key, StoreError};
use crate::table::behind;
use crate::tables::{CHAIN_HEADS, ChainHeadRow, NAMES, NameRow, RELEASED};
use crate::tx::{NameChange, NameState, scan_table};
use crate::types::{Label, Name, Seqno, UnixMillis, Visibility};

use super::row::malformed;

/// Loads the index by one scan of the names table. It follows the log from the size published when
/// the scan began: what is below was in the table then.
///
/// # Errors
/// Our own failures only; then the index stays as it was.
pub(crate) async fn load(engine: &Engine) -> Result<(), Internal> {
    let mut followed = engine.followed().lock().await;
    *followed = Some(scan(engine).await?);
    Ok(())
}

/// Follows the log by one step of [`FOLLOW_STEP_ENTRIES`]; whether there is more to follow. Nothing
/// on a store that is not shared, and before the index is loaded.
///
/// Who is far behind, or comes too late for the names that were given up, loads the index anew. One
/// round trip for the entries, then two for each 1,024 subjects among them.
///
/// # Errors
/// Our own failures only; the next step begins where this one did.
pub(crate) async fn step(engine: &Engine) -> Result<bool, Internal> {
    if !engine.is_shared() {
        return Ok(false);
    }
    let mut followed = engine.followed().lock().await;
    let (from, size) = (*followed, engine.log().head().size);
    let Some(from) = from.filter(|from| *from < size) else {
        return Ok(false);
    };
    let to = size.min(from.saturating_add(FOLLOW_STEP_ENTRIES));
    let is_far = size - from > FOLLOW_ENTRIES_MAX;
    if is_far || !follow(engine, from, to).await? {
        tracing::info!(from, size, "too far behind the log: loading the names anew");
        *followed = Some(scan(engine).await?);
        return Ok(true);
    }
    *followed = Some(to);
    Ok(to < size)
}

/// Waits until there is something to follow.
pub(crate) async fn behind_log(engine: &Engine) {
    let mut heads = engine.published().watch();
    let followed = *engine.followed().lock().await;
    let is_newer = |size: u64| followed.is_some_and(|followed| followed < size);
    // The sender lives as long as the engine.
    let _closed = heads.wait_for(|head| is_newer(head.size)).await;
}

/// Answers the size the index follows from.
async fn scan(engine: &Engine) -> Result<u64, Internal> {
    let (index, store) = (engine.name_index(), &engine.ports().store);
    let from = engine.log().head().size;
    index.begin_load();
    let mut range = NAMES.range(&[]);
    loop {
        let rows = scan_table(store, &NAMES, range.clone(), INDEX_LOAD_ROWS).await?;
        let Some((last, ..)) = rows.last() else { break };
        range.start = behind(&NAMES.key(last));
        index.load(rows.into_iter().map(|(name, _, row)| (name, state(&row))));
    }
    index.end_load();
    Ok(from)
}

/// What a name with this row is to the index.
pub(super) fn state(row: &NameRow) -> NameState {
    let visibility = Visibility::from_privacy(row.visibility.into());
    NameState::of(visibility, UnixMillis(row.changed_at_ms))
}

/// Applies what became of the subjects of the entries `from..to`; `false` when it may be too late
/// to learn of all. One round trip more where a subject has no name.
async fn follow(engine: &Engine, from: u64, to: u64) -> Result<bool, Internal> {
    // Each subject once, with the time of its newest entry.
    let mut changed: BTreeMap<Label, UnixMillis> = BTreeMap::new();
    for entry in engine.log().entries_between(from, to).await? {
        if entry.kind == EntryKind::Link {
            changed.insert(Label(entry.label), UnixMillis(entry.time_ms));
        }
    }
    let changed: Vec<(Label, UnixMillis)> = changed.into_iter().collect();
    for part in changed.chunks(READ_KEYS_MAX) {
        let Changes { known, lost } = changes(engine, part).await?;
        for change in &known {
            engine.name_index().apply(change);
        }
        let Some(lost) = lost else { continue };
        // The store's own time, by which the row went: a machine that slept may not know for how
        // long until its next heartbeat, and a steady clock stands still while it sleeps.
        if engine.ports().store.now().await? >= lost.plus(RELEASED_SURE) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What became of some subjects.
struct Changes {
    known: Vec<NameChange>,
    /// Time of the oldest entry whose subject has no name, now or lately: it may never have been one,
    /// or was given up so long ago that its row is gone.
    lost: Option<UnixMillis>,
}

/// Reads what became of up to 1,024 subjects: their heads, then names and released names at once.
async fn changes(engine: &Engine, part: &[(Label, UnixMillis)]) -> Result<Changes, Internal> {
    let store = &engine.ports().store;
    let keys: Vec<Key> = part.iter().map(|(l, _)| CHAIN_HEADS.key(l)).collect();
    let heads = store.get_many(&keys, Freshness::Now).await?;
    let mut subjects = Vec::with_capacity(part.len());
    for ((label, time), head) in part.iter().zip(heads) {
        let (_, head) = head.ok_or_else(|| StoreError::Corrupt("a link has no chain".into()))?;
        let head = CHAIN_HEADS.read(&head)?;
        if !head.is_avatar {
            subjects.push((*label, *time, Subject::read(&head)?));
        }
    }
    let key = |(label, _, subject): &(Label, _, Subject)| match &subject.name {
        Some(name) => NAMES.key(name),
        None => RELEASED.key(label),
    };
    let keys: Vec<Key> = subjects.iter().map(key).collect();
    let rows = store.get_many(&keys, Freshness::Now).await?;
    let (mut known, mut lost) = (Vec::with_capacity(rows.len()), None);
    for ((_, time, Subject { seqno, name }), row) in subjects.into_iter().zip(rows) {
        let row = row.map(|(_, row)| row);
        let (name, state) = match (name, row) {
            (Some(name), None) => (name, NameState::Gone),
            (Some(name), Some(row)) => (name, state(&NAMES.read(&row)?)),
            (None, Some(row)) => (read_name(&RELEASED.read(&row)?.name)?, NameState::Gone),
            (None, None) => {
                lost = Some(lost.map_or(time, |lost: UnixMillis| lost.min(time)));
                continue;
            }
        };
        known.push(NameChange { name, seqno, state });
    }
    Ok(Changes { known, lost })
}

/// What a chain's head says of its subject.
struct Subject {
    seqno: Seqno,
    name: Option<Name>,
}

impl Subject {
    fn read(row: &ChainHeadRow) -> Result<Self, StoreError> {
        let seqno = Seqno::new(row.seqno).ok_or_else(|| malformed("chain head"))?;
        let name = row.name.as_deref().map(read_name).transpose()?;
        Ok(Self { seqno, name })
    }
}

fn read_name(text: &str) -> Result<Name, StoreError> {
    Name::parse(text).map_err(|_| malformed("chain head"))
}
