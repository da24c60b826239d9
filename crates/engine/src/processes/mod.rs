//! The processes over one store: who is alive, who has which role, and the clock they share.
//!
//! On a store that others may have open, each process writes a row every 2 s and reads those of the
//! others. Nothing depends on these rows but the share of the flood limits and what an operator is
//! shown: roles rest on leases, and leases on the versions of rows.

pub(crate) mod clock;
pub(crate) mod leases;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{PROCESS_LIFE, PROCESSES_MAX};
use crate::ports::store::{Batch, Store, StoreError};
use crate::table::Row;
use crate::tables::{LEASES, LeaseRow, PROCESSES, ProcessRow};
use crate::tx::{in_tx, scan_table};
use crate::types::{ProcessId, UnixMillis};

use leases::{Bid, Role, give_back_in};

/// A process that has the store open, or had it lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id, drawn when it opened the store.
    pub id: ProcessId,
    /// How long ago its row was written, by the store's clock; a living process writes it every 2 s.
    /// Zero for one without a row.
    pub seen_ago: Duration,
    /// When it opened the store, if it has a row.
    pub started: Option<UnixMillis>,
    /// The release it runs, if it has a row.
    pub version: Option<String>,
    /// Whether it is the one that asked.
    pub is_me: bool,
    /// The roles it has now: `sequence`, `sweep`, `recheck`.
    pub roles: Vec<String>,
}

/// Rows of processes and leases, and the store's time when they were read.
struct Seen {
    now: UnixMillis,
    processes: BTreeMap<ProcessId, Option<ProcessRow>>,
    leases: Vec<(String, LeaseRow)>,
}

/// The processes of a store, in order of their ids: those that have a row, and those that have none
/// and yet a role, as the only process of a store does not write rows, and one whose heartbeats fail
/// may lead all the same. Three reads in one round trip.
///
/// # Errors
/// Our own failures only.
pub async fn list(store: &Arc<dyn Store>) -> Result<Vec<Process>, Internal> {
    Ok(look(store).await?.shown(None))
}

/// What the engine shows of the processes: the rows, and itself if it has none.
///
/// # Errors
/// As [`list`].
pub(crate) async fn seen_by(engine: &Engine) -> Result<Vec<Process>, Internal> {
    let mut seen = look(&engine.ports().store).await?;
    let me = engine.process_id();
    let mine = my_row(engine, seen.now);
    let row = seen.processes.entry(me).or_default();
    row.get_or_insert(mine);
    Ok(seen.shown(Some(me)))
}

async fn look(store: &Arc<dyn Store>) -> Result<Seen, Internal> {
    let (now, processes, leases) = tokio::join!(
        store.now(),
        scan_table(store, &PROCESSES, PROCESSES.range(&[]), PROCESSES_MAX),
        scan_table(store, &LEASES, LEASES.range(&[]), PROCESSES_MAX),
    );
    let (now, leases) = (now?, leases?);
    let rows = processes?.into_iter().map(|(id, _, row)| (id, Some(row)));
    let mut processes: BTreeMap<_, _> = rows.collect();
    for (.., lease) in leases.iter().filter(|(.., lease)| now.0 < lease.until_ms) {
        if let Ok(id) = lease.holder.as_slice().try_into() {
            processes.entry(ProcessId(id)).or_default();
        }
    }
    let name = |role: Vec<u8>| String::from_utf8_lossy(&role).into_owned();
    Ok(Seen {
        now,
        processes,
        leases: leases
            .into_iter()
            .map(|(role, _, row)| (name(role), row))
            .collect(),
    })
}

impl Seen {
    fn shown(&self, me: Option<ProcessId>) -> Vec<Process> {
        let show = |(id, row): (&ProcessId, &Option<ProcessRow>)| {
            let bid = Bid {
                by: *id,
                at: self.now,
            };
            let held = self.leases.iter().filter(|(_, lease)| bid.holds(lease));
            let row = row.as_ref();
            Process {
                id: *id,
                seen_ago: row.map_or(Duration::ZERO, |row| {
                    self.now.since(UnixMillis(row.seen_ms))
                }),
                started: row.map(|row| UnixMillis(row.started_ms)),
                version: row.map(|row| row.version.clone()),
                is_me: Some(*id) == me,
                roles: held.map(|(role, _)| role.clone()).collect(),
            }
        };
        self.processes.iter().map(show).collect()
    }
}

fn my_row(engine: &Engine, now: UnixMillis) -> ProcessRow {
    ProcessRow {
        seen_ms: now.0,
        started_ms: engine.opened_at().0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Shows that this process lives, counts those that do, and follows the store's clock. Two round
/// trips: the time; then one write and one read at once. Nothing on a store that is not shared.
///
/// # Errors
/// Our own failures only; the count and the clock stay as they were as far as they were not learnt.
pub(crate) async fn beat(engine: &Engine) -> Result<(), Internal> {
    let store = &engine.ports().store;
    if !store.is_shared() {
        return Ok(());
    }
    let now = engine.clock().follow(store).await?;
    let row = my_row(engine, now).write();
    let batch = Batch {
        puts: vec![(PROCESSES.key(&engine.process_id()), row)],
        ..Batch::default()
    };
    let (written, counted) = tokio::join!(store.commit(batch), others(engine, now));
    let counted = counted.map(|others| engine.flood().share_with(others));
    written?;
    Ok(counted?)
}

/// How many other processes live at a time of the store's clock. One read.
///
/// # Errors
/// As [`Store::scan`].
async fn others(engine: &Engine, now: UnixMillis) -> Result<u32, StoreError> {
    let store = &engine.ports().store;
    let rows = scan_table(store, &PROCESSES, PROCESSES.range(&[]), PROCESSES_MAX).await?;
    let me = engine.process_id();
    let others = rows
        .iter()
        .filter(|(id, _, row)| *id != me && !is_gone(row, now));
    Ok(u32::try_from(others.count()).unwrap_or(PROCESSES_MAX))
}

/// Whether a process has not been seen for so long that it counts as dead; so does one that was seen
/// before the store's clock was set back, until it is seen again.
pub(crate) fn is_gone(row: &ProcessRow, now: UnixMillis) -> bool {
    let seen = UnixMillis(row.seen_ms);
    now.since(seen) >= PROCESS_LIFE || seen.since(now) >= PROCESS_LIFE
}

/// Removes this process's row, so that the others count it no more. One write, on a shared store.
///
/// # Errors
/// Our own failures only; then the row counts for 10 s more.
pub(crate) async fn leave(engine: &Engine) -> Result<(), Internal> {
    let store = &engine.ports().store;
    if store.is_shared() {
        let batch = Batch {
            deletes: vec![PROCESSES.key(&engine.process_id())],
            ..Batch::default()
        };
        store.commit(batch).await?;
    }
    Ok(())
}

/// Gives a role back if this process has it; nobody need take it before `rested`. Writes nothing
/// once writes are halted: then the lease ends by itself.
///
/// # Errors
/// Our own failures only; then the lease ends by itself.
pub(crate) async fn give_back(
    engine: &Engine,
    role: Role,
    rested: Option<UnixMillis>,
) -> Result<(), Internal> {
    if engine.published().halted().is_some() {
        return Ok(());
    }
    let me = engine.process_id();
    in_tx!(engine, "give_back", |tx| give_back_in(tx, role, me, rested)
        .await
        .map_err(Internal::from))
}
