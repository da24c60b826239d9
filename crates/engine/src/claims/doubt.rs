//! Avatars whose change got no answer from the store: whether it was applied is looked up until it is
//! sure, so that the index of claims has it within a second of the store.
//!
//! On a shared store the feed of changes tells (`claims::follow`). The only process of a store changes
//! everything itself, and knows, but for this.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{DOUBT, DOUBT_LOOK_PERIOD, DOUBTFUL_NAMES_MAX, READ_KEYS_MAX};
use crate::types::Label;

use super::follow::load;

/// The avatars, each with the time, by the monotonic clock, from which on nothing changes any more.
#[derive(Default)]
pub(crate) struct ClaimDoubts {
    avatars: Mutex<Avatars>,
    wake: Notify,
}

#[derive(Default)]
struct Avatars {
    until: BTreeMap<Label, Duration>,
    /// There were more than are remembered: from then on the index is to be loaded anew.
    all_from: Option<Duration>,
}

impl ClaimDoubts {
    /// Adds an avatar; when there are too many, the index as a whole.
    pub(crate) fn add(&self, label: Label, now: Duration) {
        let until = now.saturating_add(DOUBT);
        let mut avatars = self.lock();
        if avatars.until.len() < DOUBTFUL_NAMES_MAX || avatars.until.contains_key(&label) {
            avatars.until.insert(label, until);
        } else {
            avatars.all_from = Some(until);
        }
        drop(avatars);
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
        let avatars = self.lock();
        avatars.until.is_empty() && avatars.all_from.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Avatars> {
        self.avatars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks all of them up once, and drops those of which nothing more can come. One round trip for each
/// 1,024 of them, none without any.
///
/// # Errors
/// Our own failures only; then all of them stay.
pub(crate) async fn look(engine: &Engine) -> Result<(), Internal> {
    let (doubts, now) = (engine.claim_doubts(), engine.ports().timer.monotonic());
    let is_over = |until: &Duration| *until <= now;
    if doubts.lock().all_from.as_ref().is_some_and(is_over) {
        load(engine).await?;
        doubts.lock().all_from.take_if(|from| is_over(from));
    }
    let labels: Vec<Label> = doubts.lock().until.keys().copied().collect();
    for part in labels.chunks(READ_KEYS_MAX) {
        let rows = engine.claims().avatar_rows(part).await?;
        for (label, row) in part.iter().zip(rows) {
            if let Some(row) = row {
                engine.claim_index().apply(*label, &row);
            }
        }
    }
    doubts.lock().until.retain(|_, until| !is_over(until));
    Ok(())
}
