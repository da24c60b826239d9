//! The record cache: answers to reads that may be slightly stale.
//!
//! It must never be behind a batch this process committed, though a slow reader may put in what it
//! read before the commit. So a counter moves with each group: odd while the group's keys are being
//! dropped, even between groups. A reader notes it before its snapshot and may fill only if it has
//! not moved; several keys are answered only if all are there and it did not move meanwhile, which
//! makes them one moment.
//!
//! The committer drops what it wrote; the next reader fills it again. Absent keys are cached too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use engine::ports::store::{Key, Version};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// What a read of one key answers.
pub(crate) type Record = Option<(Version, Bytes)>;

/// Bytes a cached record costs beside its key and value, roughly.
const RECORD_OVERHEAD_BYTES: u64 = 128;
/// For sizing the cache's tables only.
const RECORD_BYTES_EXPECTED: u64 = 512;

pub(crate) struct RecordCache {
    records: Option<Cache<Key, Record, Weight>>,
    epoch: AtomicU64,
    changing: Mutex<()>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Record> for Weight {
    fn weight(&self, key: &Key, record: &Record) -> u64 {
        let value = record.as_ref().map_or(0, |(_, value)| value.len());
        let bytes = u64::try_from(key.len() + value).unwrap_or(u64::MAX);
        bytes.saturating_add(RECORD_OVERHEAD_BYTES)
    }
}

/// The counter's value before a read's snapshot; see the module's doc.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(u64);

impl RecordCache {
    /// A cache of about `bytes`; 0 caches nothing.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / RECORD_BYTES_EXPECTED).unwrap_or(usize::MAX);
        let records = (bytes > 0).then(|| Cache::with_weighter(items, bytes, Weight));
        Self {
            records,
            epoch: AtomicU64::new(0),
            changing: Mutex::new(()),
        }
    }

    /// To be called before the snapshot whose result goes to [`RecordCache::fill`].
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.epoch.load(Ordering::SeqCst))
    }

    /// All keys from one moment, or `None` if the cache cannot say.
    pub(crate) fn get(&self, keys: &[Key]) -> Option<Vec<Record>> {
        let records = self.records.as_ref()?;
        let before = self.moment();
        let found = keys
            .iter()
            .map(|key| records.get(key))
            .collect::<Option<Vec<_>>>()?;
        let one_moment = keys.len() <= 1 || (before.0.is_multiple_of(2) && before == self.moment());
        one_moment.then_some(found)
    }

    /// Takes in what a snapshot answered that was opened after `moment`.
    pub(crate) fn fill(&self, moment: Moment, keys: &[Key], found: &[Record]) {
        let Some(records) = &self.records else { return };
        let _still = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if !moment.0.is_multiple_of(2) || moment != self.moment() {
            return;
        }
        for (key, record) in keys.iter().zip(found) {
            // A copy, because the caller's key may be a slice of a large request.
            records.insert(Bytes::copy_from_slice(key), record.clone());
        }
    }

    /// Drops the keys of a group that the engine has just made visible.
    pub(crate) fn drop_keys<'a>(&self, keys: impl Iterator<Item = &'a Key>) {
        let Some(records) = &self.records else { return };
        self.change(|| {
            for key in keys {
                records.remove(key);
            }
        });
    }

    /// Drops everything, when the engine was opened anew.
    pub(crate) fn clear(&self) {
        if let Some(records) = &self.records {
            self.change(|| records.clear());
        }
    }

    fn change(&self, drop_them: impl FnOnce()) {
        let _still = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        drop_them();
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(version: u64) -> Record {
        Some((Version(version), Bytes::from_static(b"value")))
    }

    #[test]
    fn a_slow_reader_does_not_put_back_what_was_dropped() {
        let cache = RecordCache::new(1 << 20);
        let keys = [Key::from_static(b"k")];
        let before = cache.moment();
        cache.drop_keys(keys.iter());
        cache.fill(before, &keys, &[record(1)]);
        assert_eq!(cache.get(&keys), None);
        cache.fill(cache.moment(), &keys, &[record(2)]);
        assert_eq!(cache.get(&keys), Some(vec![record(2)]));
        cache.drop_keys(keys.iter());
        assert_eq!(cache.get(&keys), None);
    }

    #[test]
    fn remembers_absent_keys_and_may_be_off() {
        let keys = [Key::from_static(b"a"), Key::from_static(b"b")];
        let cache = RecordCache::new(1 << 20);
        cache.fill(cache.moment(), &keys, &[None, record(1)]);
        assert_eq!(cache.get(&keys), Some(vec![None, record(1)]));
        cache.clear();
        assert_eq!(cache.get(&keys), None);
        let off = RecordCache::new(0);
        off.fill(off.moment(), &keys, &[None, None]);
        assert_eq!(off.get(&keys), None);
    }
}
