//! Entries this process knows to be waiting, so that sequencing need not scan for them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use merkle::entry::LogEntry;
use tokio::sync::Notify;

/// The queue. The store's intents are the truth; this only saves scanning over deleted rows.
#[derive(Default)]
pub(crate) struct Pending {
    entries: Mutex<VecDeque<LogEntry>>,
    wake: Notify,
}

impl Pending {
    /// Adds an entry whose intent is durable.
    pub(crate) fn push(&self, entry: LogEntry) {
        self.lock().push_back(entry);
        self.wake.notify_one();
    }

    /// Puts entries back in front that could not be sequenced yet.
    pub(crate) fn put_back(&self, entries: Vec<LogEntry>) {
        let mut queue = self.lock();
        for entry in entries.into_iter().rev() {
            queue.push_front(entry);
        }
    }

    /// Takes up to `most` entries, oldest first.
    pub(crate) fn take(&self, most: usize) -> Vec<LogEntry> {
        let mut queue = self.lock();
        let count = queue.len().min(most);
        queue.drain(..count).collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns once something was pushed since the last call returned.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LogEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
