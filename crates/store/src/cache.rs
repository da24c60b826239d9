//! The record cache: answers to reads that may be slightly stale, for one store of one process.
//!
//! # What it promises
//! - **Never behind a batch this process committed**, once that batch's [`Writing`] has ended.
//! - **Batches of this process are seen whole**: several keys are answered only if no batch was taken
//!   over meanwhile.
//! - **Never older than asked for**: with [`Lifetime::Shared`] a record is answered only if it was read
//!   or confirmed at most `within` ago, counted from before that read began. With
//!   [`Lifetime::Forever`] nobody else writes and nothing grows old.
//!
//! # What the store has to do
//! Reading: ask [`RecordCache::get`] first. If that does not answer, take [`RecordCache::moment`], *then*
//! begin the read, and hand what it found to [`RecordCache::fill`]. Reads that must be fresh skip
//! `get`; they may fill.
//!
//! Committing: take [`RecordCache::writing`] before the batch can become visible, keep it until the
//! outcome is known, then drop it, and only then answer the caller. Whoever gives up waiting drops it
//! too: a batch whose outcome is unknown is seen like one of another process.
//!
//! Keeping hot records alive, on a shared store, every 0.4 s or so for reads within 1 s:
//!
//! ```text
//! for due in cache.due(1_000) {
//!     let versions = /* one statement: the versions of due.keys(), in their order */;
//!     cache.confirm(due, &versions);
//! }
//! ```
//!
//! Only records answered, or asked for again after they had grown old, within the last twelve passes are
//! due; others are left to age. A pass that fails may be left in the middle. If passes stop, records
//! grow too old and `get` answers nothing, so reads go to the store.
//!
//! All these reads must see every batch whose commit has returned in this process, so they must not
//! go to a replica that lags.
//!
//! # How
//! A counter moves with each batch: odd while its keys are being dropped, even otherwise. Keys fall into
//! stripes; each notes the number of its last batch and the keys being written. A reader notes
//! the counter before it reads, and fills only keys whose stripe has no later number and which are not
//! being written, so neither an old value survives a batch nor does a new one come in beside old ones.
//! A record to be confirmed is held by its place in memory: if a batch dropped it meanwhile, nobody
//! can reach it any more, and confirming it has no effect.

mod guard;
mod hot;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::ports::store::{Key, Version};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::clock::SteadyClock;
use guard::Guard;
pub use hot::{Due, Pass};
use hot::{Hot, Life};

/// What a read of one key answers; absent keys are cached too.
pub type Record = Option<(Version, Bytes)>;

/// Bytes a cached record costs beside its key and value, roughly.
const RECORD_OVERHEAD_BYTES: u64 = 128;
/// What it costs more on a shared store, its place in the list of due records included.
const LIFE_BYTES: u64 = 128;
/// For sizing the cache's tables only.
const RECORD_BYTES_EXPECTED: u64 = 512;

/// Who writes to the store, and so how long a record can be trusted.
#[derive(Clone)]
pub enum Lifetime {
    /// This process alone: a record holds until this process writes its key.
    Forever,
    /// Other processes too: a record's age counts, by this clock.
    Shared(SteadyClock),
}

/// A cache of records, bounded in bytes. See the module's doc for how a store uses it.
pub struct RecordCache {
    records: Option<Cache<Key, Entry, Weight>>,
    guard: Guard,
    hot: Option<Hot>,
}

#[derive(Clone)]
struct Entry {
    record: Record,
    /// `None` if records never grow old.
    life: Option<Arc<Life>>,
}

#[derive(Clone)]
struct Weight {
    overhead: u64,
}

impl Weighter<Key, Entry> for Weight {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let value = entry.record.as_ref().map_or(0, |(_, value)| value.len());
        let bytes = u64::try_from(key.len() + value).unwrap_or(u64::MAX);
        bytes.saturating_add(self.overhead)
    }
}

/// When a read began; see [`RecordCache::moment`].
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    change: u64,
    read_ns: u64,
}

impl RecordCache {
    /// A cache of about `bytes`, everything kept beside the values included; 0 caches nothing.
    #[must_use]
    pub fn new(bytes: u64, lifetime: Lifetime) -> Self {
        let items = usize::try_from(bytes / RECORD_BYTES_EXPECTED).unwrap_or(usize::MAX);
        let (overhead, hot) = match lifetime {
            Lifetime::Forever => (RECORD_OVERHEAD_BYTES, None),
            Lifetime::Shared(clock) => {
                let overhead = RECORD_OVERHEAD_BYTES + LIFE_BYTES;
                let most = usize::try_from(bytes / overhead).unwrap_or(usize::MAX);
                (overhead, Some(Hot::new(clock, most)))
            }
        };
        Self {
            records: (bytes > 0).then(|| Cache::with_weighter(items, bytes, Weight { overhead })),
            guard: Guard::new(),
            hot,
        }
    }

    /// To be taken before the read begins whose result goes to [`RecordCache::fill`].
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment {
            read_ns: self.hot.as_ref().map_or(0, Hot::now_ns),
            change: self.guard.number(),
        }
    }

    /// All keys in order, each as it was at most `within` ago, or `None` if the cache cannot say.
    #[must_use]
    pub fn get(&self, keys: &[Key], within: Duration) -> Option<Vec<Record>> {
        let records = self.records.as_ref()?;
        let oldest_ns = self.hot.as_ref().map_or(0, |hot| hot.oldest_ns(within));
        let before = self.guard.number();
        let found = keys
            .iter()
            .map(|key| self.young(records.get(key)?, oldest_ns))
            .collect::<Option<Vec<_>>>()?;
        let one_moment =
            keys.len() <= 1 || (before.is_multiple_of(2) && before == self.guard.number());
        one_moment.then_some(found)
    }

    fn young(&self, entry: Entry, oldest_ns: u64) -> Option<Record> {
        if let (Some(hot), Some(life)) = (&self.hot, &entry.life) {
            if life.read_ns() < oldest_ns {
                return None;
            }
            hot.note(life);
        }
        Some(entry.record)
    }

    /// Takes in what a read found for `keys`, in their order, that began after `moment`. Keys that a
    /// batch of this process may have changed since are left out.
    ///
    /// Keys are copied; values are kept as they are, so they should not be slices of something larger.
    pub fn fill(&self, moment: Moment, keys: &[Key], found: &[Record]) {
        let Some(records) = &self.records else { return };
        for (key, record) in keys.iter().zip(found) {
            self.guard.unless_changed(key, moment.change, || {
                self.take_in(records, moment, key, record);
            });
        }
    }

    fn take_in(
        &self,
        records: &Cache<Key, Entry, Weight>,
        moment: Moment,
        key: &Key,
        record: &Record,
    ) {
        let version = record.as_ref().map(|(version, _)| *version);
        if let Some(hot) = &self.hot
            && let Some(life) = records.peek(key).and_then(|entry| entry.life)
            && (life.read_ns() >= moment.read_ns || life.confirm(version, moment.read_ns))
        {
            // Asked for once more after it had grown old.
            hot.note(&life);
            return;
        }
        // A copy, because the caller's key may be a slice of a large request.
        let key = Bytes::copy_from_slice(key);
        let life = |_: &Hot| Arc::new(Life::new(key.clone(), version, moment.read_ns));
        let entry = Entry {
            record: record.clone(),
            life: self.hot.as_ref().map(life),
        };
        records.insert(key, entry);
    }

    /// Announces that these keys are about to be written. Until the guard is dropped no read fills
    /// them; when it is dropped, they are dropped from the cache.
    pub fn writing<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Writing<'_> {
        let on = self.records.is_some();
        let keys: Vec<Key> = keys.into_iter().filter(|_| on).cloned().collect();
        for key in &keys {
            self.guard.begin(key);
        }
        Writing { cache: self, keys }
    }

    /// Drops everything: after the store was opened anew. Reads that began before do not fill.
    pub fn clear(&self) {
        if let Some(records) = &self.records {
            self.guard.change_all(|| records.clear());
        }
    }

    /// One pass over the records answered lately, in pieces of at most `most` keys: those that are due
    /// now, not those that become due meanwhile. A piece's time counts
    /// from when it is taken, so take one, read its versions, confirm it, and take the next.
    pub fn due(&self, most: usize) -> Pass<'_> {
        Pass::new(self.hot.as_ref(), most)
    }

    /// Tells what one read, begun after `due` was taken, found as versions of [`Due::keys`], in their
    /// order: records of the same version (or still absent) count as read when `due` was taken, others
    /// are dropped. Without an answer for a key its record just grows older.
    pub fn confirm(&self, due: Due, found: &[Option<Version>]) {
        let Some(records) = &self.records else { return };
        for (life, version) in due.lives().zip(found) {
            if !life.confirm(*version, due.read_ns()) {
                records.remove_if(life.key(), |entry| entry.is(life));
            } else if let Some(hot) = &self.hot {
                hot.keep(life);
            }
        }
    }
}

impl Entry {
    fn is(&self, life: &Arc<Life>) -> bool {
        self.life.as_ref().is_some_and(|own| Arc::ptr_eq(own, life))
    }
}

/// A batch of this process that is being committed; see [`RecordCache::writing`].
#[must_use = "the keys are dropped from the cache as soon as this is"]
pub struct Writing<'a> {
    cache: &'a RecordCache,
    keys: Vec<Key>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let Some(records) = &self.cache.records else {
            return;
        };
        self.cache.guard.end(&self.keys, |key| {
            records.remove(key);
        });
    }
}
