//! Names whose change got no answer from the store: whether it was applied is looked up until it is
//! sure, so that the name index has it within a second of the store.
//!
//! On a shared store the log tells, as it tells of what other processes do (`names::follow`). The only
//! process of a store does not follow the log: what changes, it changes itself, and knows, but for
//! this.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{DOUBT, DOUBT_LOOK_PERIOD, DOUBTFUL_NAMES_MAX, READ_KEYS_MAX};
use crate::ports::store::{Freshness, Key};
use crate::tables::{CHAIN_HEADS, NAMES};
use crate::tx::{NameChange, NameState};
use crate::types::{Handle, Name, Seqno};

use super::follow::{load, state};
use super::row::malformed;

/// The names, each with the time, by the monotonic clock, from which on nothing changes any more.
#[derive(Default)]
pub(crate) struct Doubts {
    names: Mutex<Names>,
    wake: Notify,
}

#[derive(Default)]
struct Names {
    until: BTreeMap<Name, Duration>,
    /// There were more names than are remembered: from then on the index is to be loaded anew.
    all_from: Option<Duration>,
}

impl Doubts {
    /// Adds a name; when there are too many, the index as a whole.
    pub(crate) fn add(&self, name: Name, now: Duration) {
        let until = now.saturating_add(DOUBT);
        let mut names = self.lock();
        if names.until.len() < DOUBTFUL_NAMES_MAX || names.until.contains_key(&name) {
            names.until.insert(name, until);
        } else {
            names.all_from = Some(until);
        }
        drop(names);
        self.wake.notify_one();
    }

    /// Waits until there is something to look up.
    pub(crate) async fn wait(&self, engine: &Engine) {
        if self.is_empty() {
            self.wake.notified().await;
        } else {
            engine.ports().timer.sleep(DOUBT_LOOK_PERIOD).await;
        }
    }

    fn is_empty(&self) -> bool {
        let names = self.lock();
        names.until.is_empty() && names.all_from.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks all names up once, and drops those of which nothing more can come. Two round trips for each
/// 1,024 names, none without any.
///
/// # Errors
/// Our own failures only; then all of them stay.
pub(crate) async fn look(engine: &Engine) -> Result<(), Internal> {
    let (doubts, now) = (engine.doubts(), engine.ports().timer.monotonic());
    let is_over = |until: &Duration| *until <= now;
    if doubts.lock().all_from.as_ref().is_some_and(is_over) {
        load(engine).await?;
        doubts.lock().all_from.take_if(|from| is_over(from));
    }
    let names: Vec<Name> = doubts.lock().until.keys().cloned().collect();
    for part in names.chunks(READ_KEYS_MAX) {
        for change in changes(engine, part).await? {
            engine.name_index().apply(&change);
        }
    }
    doubts.lock().until.retain(|_, until| !is_over(until));
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
