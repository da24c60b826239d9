//! The index of claims and the feed of changes: loading, and on a shared store following what other
//! processes do.
//!
//! The feed says whose chain has a new link; the avatar's row says what has become of its claims, and its
//! revision whether that is news. The row may be newer than the change, but never older. What checks in
//! other processes change has no link: an index has the time of such a check, and another name that
//! came with it, from the avatar's next link on. That is only where claims are sorted; what is shown is
//! read.

use std::collections::BTreeSet;

use merkle::Hash;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::CLAIMS_LOAD_ROWS;
use crate::ports::store::{Key, KeyRange, StoreError};
use crate::table::{TableKey, behind};
use crate::tables::{AVATARS, CHANGES};
use crate::tx::scan_table;
use crate::types::Label;

/// Loads the index by one scan of the avatars. It follows the feed from the number published when the
/// scan began: what is before it was in the table then.
///
/// # Errors
/// Our own failures only; then the index stays as it was.
pub(crate) async fn load(engine: &Engine) -> Result<(), Internal> {
    let mut followed = engine.followed_changes().lock().await;
    let from = engine.log().head().changes;
    let (index, store) = (engine.claim_index(), &engine.ports().store);
    index.begin_load();
    let mut range = AVATARS.range(&[]);
    loop {
        let rows = scan_table(store, &AVATARS, range.clone(), CLAIMS_LOAD_ROWS).await?;
        let Some((last, ..)) = rows.last() else { break };
        range.start = behind(&AVATARS.key(last));
        index.load(rows.iter().map(|(label, _, row)| (*label, row)));
    }
    index.end_load();
    *followed = Some(from);
    Ok(())
}

/// Follows the feed by one step; whether there is more to follow. Nothing on a store that is not
/// shared, and before the index is loaded. Two round trips when there is something to follow.
///
/// # Errors
/// Our own failures only; the next step begins where this one did.
pub(crate) async fn step(engine: &Engine) -> Result<bool, Internal> {
    if !engine.is_shared() {
        return Ok(false);
    }
    let mut followed = engine.followed_changes().lock().await;
    let newest = engine.log().head().changes;
    let Some(from) = followed.filter(|followed| *followed < newest) else {
        return Ok(false);
    };
    let mut start = vec![CHANGES.tag()];
    from.saturating_add(1).write(&mut start);
    let range = KeyRange {
        start: Key::from(start),
        ..CHANGES.range(&[])
    };
    let store = &engine.ports().store;
    let rows = scan_table(store, &CHANGES, range, CLAIMS_LOAD_ROWS).await?;
    let last = rows.last().map(|(number, ..)| *number);
    let missing = || StoreError::Corrupt("the feed of changes has a gap".into());
    let last = last.ok_or_else(missing)?;
    let labels = rows
        .iter()
        .filter_map(|(_, _, row)| Hash::from_slice(&row.label));
    let labels: Vec<Label> = labels
        .map(Label)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let avatars = engine.claims().avatar_rows(&labels).await?;
    for (label, row) in labels.into_iter().zip(avatars) {
        if let Some(row) = row {
            engine.claim_index().apply(label, &row);
        }
    }
    *followed = Some(last);
    Ok(last < newest)
}
