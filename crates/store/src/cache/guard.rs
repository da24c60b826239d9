//! Which reads may fill which keys: the counter of batches, and its stripes. See the cache's doc.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::ports::store::Key;
use xxhash_rust::xxh3::xxh3_64;

/// With 5,000 batches of 4 keys a second a stripe moves 20 times, so a read of 1 ms is refused its fill
/// once in 50 times.
const STRIPES: u64 = 1024;

pub(super) struct Guard {
    stripes: Vec<Mutex<Stripe>>,
    /// Odd while the keys of a batch are being dropped.
    number: AtomicU64,
    changing: Mutex<()>,
}

#[derive(Default)]
struct Stripe {
    /// The counter's value when one of its keys was last dropped.
    changed: u64,
    /// Hashes of its keys being written, once for each batch. Hardly ever more than a few.
    writing: Vec<u64>,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            number: AtomicU64::new(0),
            changing: Mutex::new(()),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// Runs `take_in` unless the key is being written or may have been since the counter was `since`.
    /// It holds the stripe, so that a batch drops what is taken in, or is seen here.
    pub(super) fn unless_changed(&self, key: &Key, since: u64, take_in: impl FnOnce()) {
        let (hash, stripe) = self.stripe(key);
        if stripe.changed <= since && !stripe.writing.contains(&hash) {
            take_in();
        }
    }

    pub(super) fn begin(&self, key: &Key) {
        let (hash, mut stripe) = self.stripe(key);
        stripe.writing.push(hash);
    }

    /// Ends what [`Guard::begin`] began, and drops the keys.
    pub(super) fn end(&self, keys: &[Key], drop_it: impl Fn(&Key)) {
        if keys.is_empty() {
            return;
        }
        self.change(|number| {
            for key in keys {
                let (hash, mut stripe) = self.stripe(key);
                stripe.changed = number;
                if let Some(at) = stripe.writing.iter().position(|other| *other == hash) {
                    stripe.writing.swap_remove(at);
                }
                drop_it(key);
            }
        });
    }

    /// Drops all keys.
    pub(super) fn change_all(&self, drop_them: impl FnOnce()) {
        self.change(|number| {
            for stripe in &self.stripes {
                locked(stripe).changed = number;
            }
            drop_them();
        });
    }

    fn change(&self, drop_them: impl FnOnce(u64)) {
        let _alone = locked(&self.changing);
        let number = self.number.fetch_add(1, Ordering::SeqCst) + 1;
        drop_them(number);
        self.number.fetch_add(1, Ordering::SeqCst);
    }

    fn stripe(&self, key: &Key) -> (u64, MutexGuard<'_, Stripe>) {
        let hash = xxh3_64(key);
        let index = usize::try_from(hash % STRIPES).unwrap_or_default();
        let stripe = self.stripes.get(index);
        let stripe = stripe.expect("a remainder is below the divisor");
        (hash, locked(stripe))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
