//! Entries this process knows to be waiting, so that sequencing need not scan for them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use merkle::Hash;
use tokio::sync::Notify;

use crate::limits::PENDING_MAX;
use crate::tx::Queued;

/// The queue. The store's intents are the truth; this only saves scanning over deleted rows.
///
/// An entry waits in it once, however often it is added: by the commit that made it, and by every
/// look at the store until it is sequenced.
#[derive(Default)]
pub(crate) struct Pending {
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Default)]
struct Queue {
    order: VecDeque<Queued>,
    /// Label and seqno of what is in `order`.
    held: HashSet<(Hash, u32)>,
    /// Whether the store has a backlog, so that looks alone bring what comes next: each takes what is
    /// next in the store, whoever wrote it, so that nobody's entries wait behind all of another's.
    is_spilled: bool,
}

impl Queue {
    fn add(&mut self, queued: Queued) {
        if self.held.insert((queued.entry.label, queued.entry.seqno)) {
            self.order.push_back(queued);
        }
    }
}

impl Pending {
    /// Adds an entry whose intent is durable, and wakes the sequencer; `false` when it is left to a
    /// look at the store, as too many wait.
    pub(crate) fn push(&self, entry: Queued) -> bool {
        let mut queue = self.lock();
        queue.is_spilled |= queue.order.len() >= PENDING_MAX;
        let is_taken = !queue.is_spilled;
        if is_taken {
            queue.add(entry);
        }
        drop(queue);
        self.wake.notify_one();
        is_taken
    }

    /// A look has seen all there was in the store: entries are taken again as they come.
    pub(crate) fn caught_up(&self) {
        self.lock().is_spilled = false;
    }

    /// Adds entries at the end that the store holds, or that could not be sequenced yet. At the
    /// end, so that none keeps those behind it from being looked at.
    pub(crate) fn add(&self, entries: impl IntoIterator<Item = Queued>) {
        let mut queue = self.lock();
        entries.into_iter().for_each(|entry| queue.add(entry));
    }

    /// Takes up to `most` entries, oldest first.
    pub(crate) fn take(&self, most: usize) -> Vec<Queued> {
        let mut queue = self.lock();
        let count = queue.order.len().min(most);
        let taken: Vec<Queued> = queue.order.drain(..count).collect();
        for Queued { entry, .. } in &taken {
            queue.held.remove(&(entry.label, entry.seqno));
        }
        taken
    }

    /// Forgets all entries: their intents are left to whoever leads.
    pub(crate) fn clear(&self) {
        *self.lock() = Queue::default();
    }

    /// Wakes the sequencer without anything new to take.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().order.len()
    }

    /// Returns once something was pushed, or the sequencer woken, since the last call returned.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use merkle::entry::{EntryKind, LogEntry};

    use super::*;

    fn entry(label: u8, seqno: u32) -> Queued {
        let entry = LogEntry {
            kind: EntryKind::Link,
            label: Hash([label; 32]),
            seqno,
            commitment: Hash::ZERO,
            time_ms: 0,
        };
        Queued {
            entry,
            is_change: label == 1,
        }
    }

    #[test]
    fn an_entry_waits_once_and_in_the_order_it_came() {
        let pending = Pending::default();
        pending.push(entry(2, 1));
        pending.add([entry(1, 1), entry(2, 1), entry(1, 2), entry(1, 1)]);
        assert_eq!(pending.len(), 3);
        assert_eq!(pending.take(2), [entry(2, 1), entry(1, 1)]);
        pending.push(entry(2, 1));
        assert_eq!(pending.take(9), [entry(1, 2), entry(2, 1)]);
        assert_eq!(pending.take(9), []);
        pending.push(entry(3, 1));
        pending.clear();
        pending.push(entry(3, 1));
        assert_eq!(pending.len(), 1, "what was forgotten may come again");
    }

    #[test]
    fn a_backlog_is_left_to_looks_until_one_has_seen_all() {
        let pending = Pending::default();
        let most = u32::try_from(PENDING_MAX).unwrap();
        assert!((0..most).all(|seqno| pending.push(entry(1, seqno))));
        assert!(!pending.push(entry(2, 1)), "it is full");
        pending.take(1_000);
        assert!(!pending.push(entry(2, 2)), "the store has what came before");
        assert_eq!(pending.len(), PENDING_MAX - 1_000);
        pending.add([entry(2, 1), entry(2, 2)]);
        pending.caught_up();
        assert!(pending.push(entry(2, 3)));
    }
}
