//! The names of the directory, in memory: substring search over those anybody may search, the public
//! list by the time of the last change, and the count of all.
//!
//! The index is loaded by one scan of the names table. From then on it is told of changes: by this
//! process's own commits at once, and on a shared store by following the log (`names::follow`). A
//! change says what a name has become and by which link, so that changes may come twice and in any
//! order.

mod lines;
mod listed;
mod search;
mod sorted;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::limits::APPLIED_NAMES_MAX;
use crate::tx::{NameChange, NameState};
use crate::types::{Name, Seqno};

use listed::Listed;
pub(crate) use search::Search;
use sorted::Sorted;

/// The index. Shared by readers; writers hold it for one insertion.
#[derive(Default)]
pub(crate) struct NameIndex {
    names: RwLock<Names>,
    loaded: AtomicBool,
}

#[derive(Default)]
struct Names {
    /// What searches see.
    shown: Lists,
    /// What a scan that runs has read.
    loading: Option<Loading>,
    /// Seqnos of the changes applied last, in two generations, so that of two changes that come in
    /// the wrong order the newer one stays.
    applied: [HashMap<Name, Seqno>; 2],
}

/// Every name of the directory is in one of the first two lists, some of the first in the third too.
#[derive(Default)]
struct Lists {
    searchable: Sorted,
    private: Sorted,
    listed: Listed,
}

#[derive(Default)]
struct Loading {
    lists: Lists,
    /// Names changed since the scan began: what it reads of them may be older, and is passed over.
    touched: HashSet<Name>,
}

impl NameIndex {
    /// Names in the directory, whether anybody may search them or not; those loaded so far while
    /// the index is loading for the first time.
    pub(crate) fn total(&self) -> u64 {
        let (searchable, private) = self.by_visibility();
        searchable.saturating_add(private)
    }

    /// Names that anybody may search, and names that nobody may; as [`NameIndex::total`].
    pub(crate) fn by_visibility(&self) -> (u64, u64) {
        let names = self.read();
        let lists = match &names.loading {
            Some(loading) if !self.is_loaded() => &loading.lists,
            Some(_) | None => &names.shown,
        };
        (lists.searchable.len() as u64, lists.private.len() as u64)
    }

    /// Whether a scan was ever complete.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Begins a scan: before its first row is read. Searches see what they saw until it ends; one
    /// that never ends is dropped by the next.
    pub(crate) fn begin_load(&self) {
        self.write().loading = Some(Loading::default());
    }

    /// Adds what the scan has read, less what has changed since it began.
    pub(crate) fn load(&self, rows: impl Iterator<Item = (Name, NameState)>) {
        let mut names = self.write();
        let Some(loading) = &mut names.loading else {
            return;
        };
        for (name, state) in rows {
            if !loading.touched.contains(&name) {
                loading.lists.add(&name, state);
            }
        }
    }

    /// Ends the scan: from now on searches see what it has read, and what has changed meanwhile.
    pub(crate) fn end_load(&self) {
        let mut names = self.write();
        if let Some(loading) = names.loading.take() {
            names.shown = loading.lists;
            self.loaded.store(true, Ordering::Release);
        }
    }

    /// Applies what became of a name, unless a newer change of it was applied before.
    pub(crate) fn apply(&self, change: &NameChange) {
        let mut names = self.write();
        if !names.is_newest(change) {
            return;
        }
        names.shown.set(&change.name, change.state);
        if let Some(loading) = &mut names.loading {
            loading.lists.set(&change.name, change.state);
            loading.touched.insert(change.name.clone());
        }
    }

    /// Does a step of a search among the names that anybody may search: well below a millisecond. What
    /// changes between two steps may move its page by so much.
    pub(crate) fn search_on(&self, search: &mut Search) {
        self.read().shown.searchable.search_on(search);
    }

    /// Names of the public list, newest change first, from the `skip`-th on, at most `limit`. The
    /// same time for every page.
    pub(crate) fn listed(&self, skip: u64, limit: usize) -> Vec<Name> {
        self.read().shown.listed.page(skip, limit)
    }

    fn read(&self) -> RwLockReadGuard<'_, Names> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Names> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists {
    /// Adds a name that is in no list.
    fn add(&mut self, name: &Name, state: NameState) {
        match state {
            NameState::Searchable | NameState::Listed(_) => self.searchable.insert(name),
            NameState::Private => self.private.insert(name),
            NameState::Gone => {}
        }
        if let NameState::Listed(changed_at) = state {
            self.listed.add(name, changed_at);
        }
    }

    fn set(&mut self, name: &Name, state: NameState) {
        match state {
            NameState::Searchable | NameState::Listed(_) => {
                self.private.remove(name);
                self.searchable.insert(name);
            }
            NameState::Private => {
                self.searchable.remove(name);
                self.private.insert(name);
            }
            NameState::Gone => {
                self.searchable.remove(name);
                self.private.remove(name);
            }
        }
        match state {
            NameState::Listed(changed_at) => self.listed.set(name, changed_at),
            NameState::Searchable | NameState::Private | NameState::Gone => {
                self.listed.remove(name);
            }
        }
    }
}

impl Names {
    /// Whether no newer change of the name is known; remembers this one if so.
    fn is_newest(&mut self, change: &NameChange) -> bool {
        let [young, old] = &mut self.applied;
        let known = young.get(&change.name).or_else(|| old.get(&change.name));
        if known.is_some_and(|known| *known > change.seqno) {
            return false;
        }
        if young.len() >= APPLIED_NAMES_MAX {
            *old = std::mem::take(young);
        }
        young.insert(change.name.clone(), change.seqno);
        true
    }
}

#[cfg(test)]
mod tests;
