//! Removes rows that have had their time: replay marks, guard windows, tombstones.

use std::time::Duration;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{REPLAY_KEPT, SWEEP_ROWS};
use crate::ports::store::{Key, KeyRange};
use crate::rate::guard_ended;
use crate::table::{Row, Table, TableKey};
use crate::tables::{GUARDS, GuardRow, SEEN, TOMBSTONES};
use crate::tx::{Tx, in_tx};
use crate::types::UnixMillis;

use super::Progress;

/// One step over each table, at most [`SWEEP_ROWS`] rows each.
pub(super) async fn tick(engine: &Engine) -> Result<Progress, Internal> {
    engine.flood().sweep();
    let now = engine.ports().timer.now();
    let replay_end = now.seconds().saturating_sub(REPLAY_KEPT.as_secs());
    let mut end = vec![SEEN.tag()];
    replay_end.write(&mut end);
    let old = KeyRange {
        end: Some(Key::from(end)),
        ..SEEN.range(&[])
    };
    let seen = remove(engine, &SEEN, old, |_, _| true).await?;
    let guards = |(policy, _): &(u8, [u8; 32]), row: &GuardRow| guard_ended(*policy, row, now);
    let guards = remove(engine, &GUARDS, GUARDS.range(&[]), guards).await?;
    let tombstones = match engine.settings().release_after {
        None => false,
        Some(wait) => sweep_tombstones(engine, wait, now).await?,
    };
    Ok(if seen || guards || tombstones {
        Progress::MoreNow
    } else {
        Progress::Idle
    })
}

async fn sweep_tombstones(
    engine: &Engine,
    wait: Duration,
    now: UnixMillis,
) -> Result<bool, Internal> {
    let range = TOMBSTONES.range(&[]);
    remove(engine, &TOMBSTONES, range, |_, row| {
        now >= UnixMillis(row.released_at_ms).plus(wait)
    })
    .await
}

/// Removes the first rows of a range that have had their time; whether to come back for more.
///
/// The rows are read inside the unit of work, and their versions checked: when one has changed, or
/// another process has removed it, they are read anew. Pages without such a row cost a read each.
async fn remove<K: TableKey, V: Row>(
    engine: &Engine,
    table: &Table<K, V>,
    mut range: KeyRange,
    is_over: impl Fn(&K, &V) -> bool,
) -> Result<bool, Internal> {
    loop {
        let page = in_tx!(engine, "sweep", |tx| page_in(tx, table, &range, &is_over)
            .await)?;
        match page {
            Page::Removed { is_last } => return Ok(!is_last),
            Page::Kept { next: Some(next) } => range.start = next,
            Page::Kept { next: None } => return Ok(false),
        }
    }
}

/// What became of one page of rows.
enum Page {
    /// Some were removed.
    Removed { is_last: bool },
    /// None had had their time; where the next page begins.
    Kept { next: Option<Key> },
}

async fn page_in<K: TableKey, V: Row>(
    tx: &mut Tx<'_>,
    table: &Table<K, V>,
    range: &KeyRange,
    is_over: &impl Fn(&K, &V) -> bool,
) -> Result<Page, Internal> {
    let rows = tx.scan(table, range.clone(), SWEEP_ROWS).await?;
    let is_last = (rows.len() as u64) < u64::from(SWEEP_ROWS);
    let next = rows.last().map(|(key, ..)| behind(&table.key(key)));
    let mut removed = false;
    for (key, version, row) in rows {
        if is_over(&key, &row) {
            tx.expect(table, &key, version);
            tx.delete(table, &key);
            removed = true;
        }
    }
    Ok(if removed {
        Page::Removed { is_last }
    } else {
        Page::Kept {
            next: next.filter(|_| !is_last),
        }
    })
}

/// The first key after `key`.
fn behind(key: &Key) -> Key {
    let mut bytes = key.to_vec();
    bytes.push(0);
    bytes.into()
}
