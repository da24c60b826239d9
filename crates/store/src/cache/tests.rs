//! The cache's promises one by one; the clock is moved by hand.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A clock in milliseconds.
#[derive(Clone, Default)]
pub(super) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(super) fn forward(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn clock(&self) -> SteadyClock {
        let hand = self.clone();
        Arc::new(move || Duration::from_millis(hand.now_ms()))
    }
}

fn shared(hand: &Hand) -> RecordCache {
    RecordCache::new(1 << 20, Lifetime::Shared(hand.clock()))
}

fn lasting() -> RecordCache {
    RecordCache::new(1 << 20, Lifetime::Forever)
}

fn record(version: u64) -> Record {
    Some((Version(version), Bytes::from_static(b"value")))
}

fn keys<const N: usize>(names: [&'static str; N]) -> [Key; N] {
    names.map(|name| Key::from_static(name.as_bytes()))
}

fn put_in(cache: &RecordCache, keys: &[Key], found: &[Record]) {
    cache.fill(cache.moment(), keys, found);
}

fn due(cache: &RecordCache) -> Vec<Key> {
    let pass = cache.due(2);
    pass.flat_map(|due| due.keys().to_vec()).collect()
}

#[test]
fn a_slow_reader_does_not_put_back_what_was_dropped() {
    let cache = lasting();
    let keys = keys(["k"]);
    let before = cache.moment();
    drop(cache.writing(&keys));
    cache.fill(before, &keys, &[record(1)]);
    assert_eq!(cache.get(&keys, SECOND), None);
    put_in(&cache, &keys, &[record(2)]);
    assert_eq!(cache.get(&keys, SECOND), Some(vec![record(2)]));
    drop(cache.writing(&keys));
    assert_eq!(cache.get(&keys, SECOND), None);
}

#[test]
fn remembers_absent_keys_and_may_be_off() {
    let keys = keys(["a", "b"]);
    let cache = lasting();
    put_in(&cache, &keys, &[None, record(1)]);
    assert_eq!(cache.get(&keys, SECOND), Some(vec![None, record(1)]));
    assert_eq!(cache.get(&[], SECOND), Some(vec![]));
    let before = cache.moment();
    cache.clear();
    assert_eq!(cache.get(&keys, SECOND), None);
    cache.fill(before, &keys, &[None, record(1)]);
    assert_eq!(cache.get(&keys, SECOND), None, "read before the clearing");
    for lifetime in [Lifetime::Forever, Lifetime::Shared(Hand::default().clock())] {
        let off = RecordCache::new(0, lifetime);
        put_in(&off, &keys, &[None, None]);
        drop(off.writing(&keys));
        off.clear();
        assert_eq!(off.get(&keys, SECOND), None);
        assert_eq!(due(&off), [] as [Key; 0]);
    }
}

#[test]
fn a_batch_keeps_its_keys_out_until_it_ends() {
    let cache = lasting();
    let [a, b, other] = keys(["a", "b", "other"]);
    let both = [a.clone(), b.clone()];
    put_in(&cache, &both, &[record(1), record(1)]);
    let first = cache.writing(&both);
    let second = cache.writing([&a]);
    // It can be visible in the store already, but the cache answers as before it, and whole.
    put_in(&cache, std::slice::from_ref(&a), &[record(2)]);
    put_in(&cache, std::slice::from_ref(&other), &[record(1)]);
    assert_eq!(
        cache.get(&both, SECOND),
        Some(vec![record(1), record(1)]),
        "the first batch is seen whole"
    );
    assert_eq!(
        cache.get(std::slice::from_ref(&other), SECOND),
        Some(vec![record(1)]),
        "other keys are filled meanwhile"
    );
    drop(first);
    put_in(&cache, &both, &[record(2), record(2)]);
    assert_eq!(cache.get(std::slice::from_ref(&a), SECOND), None);
    assert_eq!(
        cache.get(std::slice::from_ref(&b), SECOND),
        Some(vec![record(2)])
    );
    drop(second);
    put_in(&cache, std::slice::from_ref(&a), &[record(3)]);
    assert_eq!(cache.get(&both, SECOND), Some(vec![record(3), record(2)]));
}

#[test]
fn other_batches_do_not_keep_a_reader_out() {
    let cache = lasting();
    let [read] = keys(["read"]);
    let before = cache.moment();
    for number in 0..100_u64 {
        drop(cache.writing(&[Key::from(format!("other {number}"))]));
    }
    cache.fill(before, std::slice::from_ref(&read), &[record(1)]);
    let found = cache.get(&[read], SECOND);
    assert_eq!(found, Some(vec![record(1)]), "none shares its stripe");
}

#[test]
fn an_answer_is_as_young_as_asked_for() {
    let hand = Hand::default();
    let (cache, keys) = (shared(&hand), keys(["k"]));
    let before = cache.moment();
    hand.forward(300);
    cache.fill(before, &keys, &[record(1)]);
    hand.forward(700);
    assert_eq!(cache.get(&keys, SECOND), Some(vec![record(1)]));
    assert_eq!(cache.get(&keys, SECOND / 2), None);
    hand.forward(1);
    assert_eq!(cache.get(&keys, SECOND), None, "the read began before that");
    assert_eq!(cache.get(&keys, 2 * SECOND), Some(vec![record(1)]));
    assert_eq!(cache.get(&keys, Duration::MAX), Some(vec![record(1)]));
    let lasting = lasting();
    put_in(&lasting, &keys, &[record(1)]);
    let found = lasting.get(&keys, Duration::ZERO);
    assert_eq!(found, Some(vec![record(1)]), "alone, nothing grows old");
}

#[test]
fn a_reading_again_makes_younger_and_a_slower_one_does_not_go_back() {
    let hand = Hand::default();
    let (cache, keys) = (shared(&hand), keys(["same", "other"]));
    let slow = cache.moment();
    hand.forward(900);
    put_in(&cache, &keys, &[None, record(2)]);
    cache.fill(slow, &keys, &[record(1), record(1)]);
    assert_eq!(cache.get(&keys, SECOND), Some(vec![None, record(2)]));
    hand.forward(900);
    put_in(&cache, &keys, &[None, record(3)]);
    hand.forward(900);
    assert_eq!(cache.get(&keys, SECOND), Some(vec![None, record(3)]));
}

#[test]
fn only_what_was_answered_is_due_and_only_once() {
    let hand = Hand::default();
    let (cache, all) = (shared(&hand), keys(["a", "b", "c", "d", "e"]));
    put_in(&cache, &all, &[const { None }; 5]);
    assert_eq!(due(&cache), [] as [Key; 0]);
    for _ in 0..3 {
        assert!(cache.get(&all[..4], SECOND).is_some());
    }
    drop(cache.writing(&all[..1]));
    assert_eq!(due(&cache), &all[1..4], "nobody can reach the first one");
    assert_eq!(due(&cache), [] as [Key; 0]);
    assert!(cache.get(&all[1..3], SECOND).is_some());
    let mut pass = cache.due(1);
    assert_eq!(pass.next().expect("a first piece").keys(), &all[1..2]);
    assert!(cache.get(&all[1..2], SECOND).is_some());
    assert_eq!(pass.next().expect("a second piece").keys(), &all[2..3]);
    assert!(pass.next().is_none(), "a pass does not chase its own tail");
    assert_eq!(due(&cache), &all[1..2]);
    hand.forward(1001);
    assert_eq!(cache.get(&all[1..2], SECOND), None);
    assert_eq!(due(&cache), [] as [Key; 0], "what is too old is not due");
}

#[test]
fn a_confirmed_record_is_younger_and_a_changed_one_gone() {
    let hand = Hand::default();
    let (cache, all) = (shared(&hand), keys(["same", "absent", "changed", "made"]));
    put_in(&cache, &all, &[record(1), None, record(1), None]);
    assert!(cache.get(&all, SECOND).is_some());
    hand.forward(600);
    let piece = cache.due(9).next().expect("four keys");
    hand.forward(100);
    let versions = [1, 0, 2, 2].map(|version| (version > 0).then_some(Version(version)));
    cache.confirm(piece, &versions);
    hand.forward(900);
    assert_eq!(cache.get(&all[..2], SECOND), Some(vec![record(1), None]));
    assert_eq!(cache.get(&all[2..3], Duration::MAX), None);
    assert_eq!(cache.get(&all[3..], Duration::MAX), None);
    hand.forward(1);
    assert_eq!(
        cache.get(&all[..2], SECOND),
        None,
        "counted from before the pass's read"
    );
}

#[test]
fn a_late_confirmation_does_not_touch_what_came_after_a_batch() {
    let hand = Hand::default();
    let (cache, all) = (shared(&hand), keys(["old", "new"]));
    put_in(&cache, &all, &[record(1), record(1)]);
    assert!(cache.get(&all, SECOND).is_some());
    let piece = cache.due(9).next().expect("two keys");
    drop(cache.writing(&all));
    put_in(&cache, &all[1..], &[record(2)]);
    cache.confirm(piece, &[Some(Version(1)), Some(Version(3))]);
    assert_eq!(cache.get(&all[..1], SECOND), None);
    let found = cache.get(&all[1..], SECOND);
    assert_eq!(found, Some(vec![record(2)]), "it was read after the batch");
}

#[test]
fn a_pass_that_fails_lets_records_grow_old_and_be_due_again() {
    let hand = Hand::default();
    let (cache, keys) = (shared(&hand), keys(["k"]));
    put_in(&cache, &keys, &[record(1)]);
    assert!(cache.get(&keys, SECOND).is_some());
    drop(cache.due(9).next());
    hand.forward(1000);
    assert!(cache.get(&keys, SECOND).is_some());
    assert_eq!(due(&cache), keys);
    hand.forward(1);
    assert_eq!(cache.get(&keys, SECOND), None);
    put_in(&cache, &keys, &[record(1)]);
    assert!(cache.get(&keys, SECOND).is_some());
    assert_eq!(due(&cache), keys);
}

/// Passes every 0.4 s keep what is asked for within each second alive for good, without a read.
#[test]
fn hot_records_stay_and_cold_ones_go() {
    let hand = Hand::default();
    let (cache, all) = (shared(&hand), keys(["hot", "warm", "cold"]));
    put_in(&cache, &all, &[record(1), None, record(1)]);
    for tenth in 1..600_u64 {
        hand.forward(100);
        assert!(cache.get(&all[..1], SECOND).is_some(), "hot, {tenth}");
        if tenth.is_multiple_of(9) {
            assert!(cache.get(&all[1..2], SECOND).is_some(), "warm, {tenth}");
        }
        if tenth.is_multiple_of(4) {
            for due in cache.due(1) {
                let version = (due.keys() == &all[..1]).then_some(Version(1));
                cache.confirm(due, &[version]);
            }
        }
    }
    assert_eq!(cache.get(&all[2..], SECOND), None);
}

/// Confirms all that is due as unchanged; answers how much was.
fn confirm_all(cache: &RecordCache, version: u64) -> usize {
    let mut count = 0;
    for due in cache.due(2) {
        let versions = vec![Some(Version(version)); due.keys().len()];
        count += versions.len();
        cache.confirm(due, &versions);
    }
    count
}

#[test]
fn a_record_is_kept_for_some_passes_after_its_last_answer() {
    let hand = Hand::default();
    let (cache, keys) = (shared(&hand), keys(["k"]));
    put_in(&cache, &keys, &[record(1)]);
    assert_eq!(confirm_all(&cache, 1), 0, "never asked for again");
    for _ in 0..2 {
        assert!(cache.get(&keys, SECOND).is_some());
        for pass in 1..=hot::KEPT_PASSES {
            hand.forward(400);
            assert_eq!(confirm_all(&cache, 1), 1, "{pass}");
        }
        assert_eq!(confirm_all(&cache, 1), 0);
        hand.forward(600);
    }
    hand.forward(401);
    assert_eq!(cache.get(&keys, SECOND), None);
}

#[test]
fn a_record_read_again_unchanged_is_kept_and_a_changed_one_is_not() {
    let hand = Hand::default();
    let (cache, all) = (shared(&hand), keys(["same", "changed"]));
    put_in(&cache, &all, &[record(1), record(1)]);
    hand.forward(5000);
    put_in(&cache, &all, &[record(1), record(2)]);
    assert_eq!(due(&cache), &all[..1]);
}

#[test]
fn the_list_is_bounded_and_forgets_nothing_for_good() {
    let hand = Hand::default();
    let bytes = 100 * (RECORD_OVERHEAD_BYTES + LIFE_BYTES);
    let cache = RecordCache::new(bytes, Lifetime::Shared(hand.clock()));
    let [key] = keys(["k"]);
    for round in 0..1000_u64 {
        let other = [Key::from(format!("{round}"))];
        put_in(&cache, &other, &[None]);
        assert!(cache.get(&other, SECOND).is_some());
        drop(cache.writing(&other));
    }
    put_in(&cache, std::slice::from_ref(&key), &[None]);
    assert!(cache.get(std::slice::from_ref(&key), SECOND).is_some());
    assert_eq!(cache.hot.as_ref().map(Hot::length), Some(100));
    assert_eq!(due(&cache), [] as [Key; 0], "nobody can reach those");
    assert!(cache.get(std::slice::from_ref(&key), SECOND).is_some());
    assert_eq!(due(&cache), [key]);
}

/// Two threads commit pairs of keys, two read them through the cache, one confirms: pairs are seen
/// whole, and at least as new as what was acknowledged before.
#[test]
fn threads_see_pairs_whole_and_not_behind() {
    let hand = Hand::default();
    let (cache, pair) = (shared(&hand), keys(["left", "right"]));
    let (store, acknowledged) = (Mutex::new(0_u64), AtomicU64::new(0));
    let read = || {
        cache.get(&pair, SECOND).unwrap_or_else(|| {
            let moment = cache.moment();
            let version = *store.lock().expect("store");
            let found = vec![record(version), record(version)];
            cache.fill(moment, &pair, &found);
            found
        })
    };
    let not_behind = || {
        let least = acknowledged.load(Ordering::SeqCst);
        let found = read();
        let versions: BTreeSet<_> = found.into_iter().flatten().map(|found| found.0.0).collect();
        assert_eq!(versions.len(), 1, "{versions:?}");
        assert!(versions.first() >= Some(&least), "{versions:?}, {least}");
    };
    let commit = || {
        let writing = cache.writing(&pair);
        let version = {
            let mut newest = store.lock().expect("store");
            *newest += 1;
            *newest
        };
        drop(writing);
        acknowledged.fetch_max(version, Ordering::SeqCst);
    };
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for _ in 0..5_000 {
                    commit();
                    not_behind();
                }
            });
            threads.spawn(|| {
                for round in 0..20_000 {
                    let [left, _] = &pair;
                    if round % 3 == 0 {
                        let moment = cache.moment();
                        let version = *store.lock().expect("store");
                        cache.fill(moment, std::slice::from_ref(left), &[record(version)]);
                    }
                    not_behind();
                }
            });
        }
        threads.spawn(|| {
            for _ in 0..5_000 {
                for due in cache.due(1) {
                    let version = Some(Version(*store.lock().expect("store")));
                    cache.confirm(due, &[version]);
                }
            }
        });
    });
}
