//! The claims of the directory, in memory: who claims an account of which the name or a part of it is
//! known, in the order that was asked for.
//!
//! The index is loaded by one scan of the avatars. From then on it is told of changes: by this process's
//! own commits at once, and on a shared store by following the feed of changes (`claims::follow`). A
//! change is an avatar's whole row, and its revision says which of two is the newer one, so that they
//! may come twice and in any order. An avatar never goes; one without claims matches nothing.

mod names;
mod rank;
mod roll;
mod slot;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::tables::AvatarRow;
use crate::types::Label;

pub(super) use roll::{Hits, Match, Roll, Window};

/// The index. Shared by readers; writers hold it for one avatar.
#[derive(Default)]
pub(crate) struct ClaimIndex {
    rolls: RwLock<Rolls>,
    loaded: AtomicBool,
}

#[derive(Default)]
struct Rolls {
    /// What searches see.
    shown: Roll,
    /// What a scan that runs has read, and what has changed meanwhile.
    loading: Option<Roll>,
}

impl ClaimIndex {
    /// Claims in the directory; those that came since the start while the index is loading for the
    /// first time.
    pub(crate) fn total(&self) -> u64 {
        self.read().shown.len() as u64
    }

    /// Whether a scan was ever complete.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Begins a scan: before its first row is read. Searches see what they saw until it ends; one
    /// that never ends is dropped by the next.
    pub(super) fn begin_load(&self) {
        self.write().loading = Some(Roll::default());
    }

    /// Adds what the scan has read.
    pub(super) fn load<'r>(&self, rows: impl Iterator<Item = (Label, &'r AvatarRow)>) {
        let mut rolls = self.write();
        if let Some(loading) = &mut rolls.loading {
            rows.for_each(|(label, row)| loading.apply(label, row));
        }
    }

    /// Ends the scan: from now on searches see what it has read, and what has changed meanwhile.
    pub(super) fn end_load(&self) {
        let mut rolls = self.write();
        if let Some(loading) = rolls.loading.take() {
            rolls.shown = loading;
            self.loaded.store(true, Ordering::Release);
        }
    }

    /// Applies what became of an avatar, unless something newer was applied before.
    pub(crate) fn apply(&self, label: Label, row: &AvatarRow) {
        let mut rolls = self.write();
        rolls.shown.apply(label, row);
        if let Some(loading) = &mut rolls.loading {
            loading.apply(label, row);
        }
    }

    /// One page of what matches.
    pub(super) fn find(&self, sought: &Match<'_>, window: &Window) -> Hits {
        self.read().shown.find(sought, window)
    }

    fn read(&self) -> RwLockReadGuard<'_, Rolls> {
        self.rolls.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rolls> {
        self.rolls.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
