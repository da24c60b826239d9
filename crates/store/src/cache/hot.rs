//! How old records are, and which were answered lately: a bounded list, in which a record stands once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::store::{Key, Version};

use crate::clock::SteadyClock;

/// Passes in which a record is confirmed after it was answered last: about 5 s. Reading one version
/// among many costs a small part of reading a record alone, so keeping a record pays that is asked for
/// every few seconds.
pub(super) const KEPT_PASSES: u8 = 12;

/// One record's age. It is never taken over by another record: a batch that drops the record leaves
/// this to nobody.
pub(super) struct Life {
    key: Key,
    version: Option<Version>,
    /// The clock before the last read that found this version.
    read_ns: AtomicU64,
    /// Whether it stands in the list.
    listed: AtomicBool,
    /// Passes it has left, unless it is answered again.
    passes: AtomicU8,
}

impl Life {
    pub(super) fn new(key: Key, version: Option<Version>, read_ns: u64) -> Self {
        Self {
            key,
            version,
            read_ns: AtomicU64::new(read_ns),
            listed: AtomicBool::new(false),
            passes: AtomicU8::new(0),
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn read_ns(&self) -> u64 {
        self.read_ns.load(Ordering::Relaxed)
    }

    /// Makes it younger if a read that began at `read_ns` found the same version; else false.
    pub(super) fn confirm(&self, found: Option<Version>, read_ns: u64) -> bool {
        let same = self.version == found;
        if same {
            self.read_ns.fetch_max(read_ns, Ordering::Relaxed);
        }
        same
    }
}

pub(super) struct Hot {
    clock: SteadyClock,
    list: Mutex<VecDeque<Arc<Life>>>,
    /// The list's length, to be asked without its lock.
    length: AtomicUsize,
    most: usize,
}

impl Hot {
    /// A list of at most `most` records; what finds no place is left to age.
    pub(super) fn new(clock: SteadyClock, most: usize) -> Self {
        Self {
            clock,
            list: Mutex::default(),
            length: AtomicUsize::new(0),
            most,
        }
    }

    pub(super) fn now_ns(&self) -> u64 {
        nanos((self.clock)())
    }

    /// The earliest read that is young enough now.
    pub(super) fn oldest_ns(&self, within: Duration) -> u64 {
        self.now_ns().saturating_sub(nanos(within))
    }

    /// Notes that the record was answered.
    pub(super) fn note(&self, life: &Arc<Life>) {
        if life.passes.load(Ordering::Relaxed) != KEPT_PASSES {
            life.passes.store(KEPT_PASSES, Ordering::Relaxed);
        }
        self.list_once(life);
    }

    /// Notes that a pass has confirmed the record.
    pub(super) fn keep(&self, life: &Arc<Life>) {
        let left = life.passes.load(Ordering::Relaxed).saturating_sub(1);
        // An answer in between may be overlooked: then it is kept for a pass less.
        life.passes.store(left, Ordering::Relaxed);
        if left > 0 {
            self.list_once(life);
        }
    }

    fn list_once(&self, life: &Arc<Life>) {
        let full = || self.length.load(Ordering::Relaxed) >= self.most;
        if life.listed.load(Ordering::Relaxed) || full() {
            return;
        }
        if life.listed.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut list = self.list();
        if list.len() < self.most {
            list.push_back(Arc::clone(life));
            self.length.store(list.len(), Ordering::Relaxed);
        } else {
            life.listed.store(false, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn length(&self) -> usize {
        self.list().len()
    }

    fn take(&self, most: usize) -> Vec<Arc<Life>> {
        let mut list = self.list();
        let most = most.min(list.len());
        let taken = list.drain(..most).collect();
        self.length.store(list.len(), Ordering::Relaxed);
        taken
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Arc<Life>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One pass over the due records; see [`super::RecordCache::due`].
pub struct Pass<'a> {
    hot: Option<&'a Hot>,
    left: usize,
    most: usize,
}

impl<'a> Pass<'a> {
    pub(super) fn new(hot: Option<&'a Hot>, most: usize) -> Self {
        let left = hot.map_or(0, |hot| hot.list().len());
        Self {
            hot,
            left,
            most: most.max(1),
        }
    }
}

impl Iterator for Pass<'_> {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let hot = self.hot?;
        while self.left > 0 {
            let mut lives = hot.take(self.most.min(self.left));
            if lives.is_empty() {
                return None;
            }
            self.left -= lives.len().min(self.left);
            // What only the list still knows was dropped from the cache.
            lives.retain(|life| Arc::strong_count(life) > 1);
            for life in &lives {
                life.listed.store(false, Ordering::Relaxed);
            }
            if !lives.is_empty() {
                return Some(Due::new(lives, hot.now_ns()));
            }
        }
        None
    }
}

/// Records whose versions are to be read; hand it to [`super::RecordCache::confirm`] afterwards.
pub struct Due {
    lives: Vec<Arc<Life>>,
    keys: Vec<Key>,
    read_ns: u64,
}

impl Due {
    fn new(lives: Vec<Arc<Life>>, read_ns: u64) -> Self {
        let keys = lives.iter().map(|life| life.key.clone()).collect();
        Self {
            lives,
            keys,
            read_ns,
        }
    }

    /// The keys, at least one; now and then one occurs twice.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(super) fn lives(&self) -> impl Iterator<Item = &Arc<Life>> {
        self.lives.iter()
    }

    pub(super) fn read_ns(&self) -> u64 {
        self.read_ns
    }
}

/// Whole nanoseconds: nothing is rounded for 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
