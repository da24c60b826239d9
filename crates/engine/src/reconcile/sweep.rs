//! Removes rows that have had their time: replay marks, guard windows, tombstones, and on a shared
//! store what processes leave for each other.

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{RELEASED_KEPT, REPLAY_KEPT, SWEEP_REST, SWEEP_ROWS};
use crate::ports::store::{Freshness, Key, KeyRange};
use crate::processes::leases::{Bid, Role, take_in};
use crate::processes::{give_back, is_gone};
use crate::rate::guard_ended;
use crate::table::{Row, Table, TableKey, behind};
use crate::tables::{
    GUARDS, GuardRow, LEASES, PROCESSES, ProcessRow, RELEASED, ReleasedRow, SEEN, TOMBSTONES,
    TombstoneRow,
};
use crate::tx::{Tx, in_tx};
use crate::types::UnixMillis;

use super::Progress;

/// One step over each table, at most [`SWEEP_ROWS`] rows each.
///
/// On a shared store one process at a time removes rows, and for half a minute after it has come to
/// the end no other looks. Its lease is taken with the first page that has something to remove, so that
/// a server without anything to sweep writes nothing.
pub(super) async fn tick(engine: &Engine) -> Result<Progress, Internal> {
    engine.flood().sweep();
    let Some(mut found) = begin(engine).await? else {
        return Ok(Progress::Idle);
    };
    found.add(sweep_by_time(engine).await?);
    if engine.is_shared() {
        found.add(sweep_of_processes(engine).await?);
    }
    if engine.is_shared() && found.any && !found.more {
        let rested = engine.ports().store.now().await?.plus(SWEEP_REST);
        give_back(engine, Role::Sweep, Some(rested)).await?;
    }
    Ok(if found.more {
        Progress::MoreNow
    } else {
        Progress::Idle
    })
}

/// What an earlier step has left; `None` when another process is at it, or was lately. One round trip
/// on a shared store.
async fn begin(engine: &Engine) -> Result<Option<Found>, Internal> {
    if !engine.is_shared() {
        return Ok(Some(Found::default()));
    }
    let store = &engine.ports().store;
    let key = [LEASES.key(&Role::Sweep.key())];
    let (rows, now) = tokio::join!(store.get_many(&key, Freshness::Now), store.now());
    let (row, at) = (rows?.into_iter().next().flatten(), now?);
    let row = row.map(|(_, row)| LEASES.read(&row)).transpose()?;
    let by = engine.process_id();
    // A rest that ends later than any that began now is from before the clock was set back.
    let latest = at.plus(SWEEP_REST).plus(SWEEP_REST);
    let is_rested = row
        .as_ref()
        .is_some_and(|row| row.rested_until_ms > at.0 && row.rested_until_ms <= latest.0);
    let bid = Bid { by, at };
    let found = Found {
        any: row.as_ref().is_some_and(|row| bid.holds(row)),
        more: false,
    };
    Ok((!is_rested && bid.may_have(row.as_ref())).then_some(found))
}

/// What a sweep came across.
#[derive(Clone, Copy, Default)]
struct Found {
    /// Something to remove, now or in a step before, so that the lease was taken.
    any: bool,
    /// More than was removed now.
    more: bool,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.any |= other.any;
        self.more |= other.more;
    }
}

/// What every store has: replay marks, guard windows, tombstones.
async fn sweep_by_time(engine: &Engine) -> Result<Found, Internal> {
    let now = engine.now();
    let replay_end = now.seconds().saturating_sub(REPLAY_KEPT.as_secs());
    let mut end = vec![SEEN.tag()];
    replay_end.write(&mut end);
    let old = KeyRange {
        end: Some(Key::from(end)),
        ..SEEN.range(&[])
    };
    let mut found = remove(engine, &SEEN, old, |_, _| true).await?;
    let ended = |(policy, _): &(u8, [u8; 32]), row: &GuardRow| guard_ended(*policy, row, now);
    found.add(remove(engine, &GUARDS, GUARDS.range(&[]), ended).await?);
    if let Some(wait) = engine.settings().release_after {
        let free = |_: &_, row: &TombstoneRow| now >= UnixMillis(row.released_at_ms).plus(wait);
        found.add(remove(engine, &TOMBSTONES, TOMBSTONES.range(&[]), free).await?);
    }
    Ok(found)
}

/// What processes of a shared store leave for each other: names that were given up, and the rows of
/// those that died.
async fn sweep_of_processes(engine: &Engine) -> Result<Found, Internal> {
    let now = engine.now();
    let old = |_: &_, row: &ReleasedRow| now >= UnixMillis(row.released_at_ms).plus(RELEASED_KEPT);
    let mut found = remove(engine, &RELEASED, RELEASED.range(&[]), old).await?;
    let gone = |_: &_, row: &ProcessRow| is_gone(row, now);
    found.add(remove(engine, &PROCESSES, PROCESSES.range(&[]), gone).await?);
    Ok(found)
}

/// Removes the first rows of a range that have had their time; whether there were any, and whether
/// to come back for more.
///
/// The rows are read inside the unit of work, and their versions checked: when one has changed, or
/// another process has removed it, they are read anew. Pages without such a row cost a read each,
/// and on a shared store a look at the time.
async fn remove<K: TableKey, V: Row>(
    engine: &Engine,
    table: &Table<K, V>,
    mut range: KeyRange,
    is_over: impl Fn(&K, &V) -> bool,
) -> Result<Found, Internal> {
    loop {
        let bid = bid(engine).await?;
        let page = in_tx!(engine, "sweep", |tx| page_in(
            tx, table, &range, &is_over, bid
        )
        .await)?;
        match page {
            Page::Removed { is_last } => {
                let (any, more) = (true, !is_last);
                return Ok(Found { any, more });
            }
            Page::Kept { next: Some(next) } => range.start = next,
            Page::Kept { next: None } | Page::NotOurs => return Ok(Found::default()),
        }
    }
}

/// What to take the lease with; `None` where none is needed.
async fn bid(engine: &Engine) -> Result<Option<Bid>, Internal> {
    if !engine.is_shared() {
        return Ok(None);
    }
    let (by, at) = (engine.process_id(), engine.ports().store.now().await?);
    Ok(Some(Bid { by, at }))
}

/// What became of one page of rows.
enum Page {
    /// Some were removed.
    Removed { is_last: bool },
    /// None had had their time; where the next page begins.
    Kept { next: Option<Key> },
    /// Some have, but another process is at it.
    NotOurs,
}

async fn page_in<K: TableKey, V: Row>(
    tx: &mut Tx<'_>,
    table: &Table<K, V>,
    range: &KeyRange,
    is_over: &impl Fn(&K, &V) -> bool,
    bid: Option<Bid>,
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
    if !removed {
        let next = next.filter(|_| !is_last);
        return Ok(Page::Kept { next });
    }
    match bid {
        Some(bid) if !take_in(tx, Role::Sweep, &bid).await? => Ok(Page::NotOurs),
        Some(_) | None => Ok(Page::Removed { is_last }),
    }
}
