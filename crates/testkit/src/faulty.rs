//! A store that fails when a test says so.
//!
//! [`faulty`] wraps any store; the [`Faults`] handle, shared with the test, says what fails: the
//! n-th commit from now, every commit that touches chosen keys, or reads. A commit either *fails*
//! (nothing was written) or is *persisted, then fails*: the two outcomes a caller of `Unavailable`
//! and `Fatal` cannot tell apart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::ports::store::{Batch, Key, Store};

use crate::hooked::{Call, Hooked, Step};

/// What callers are told.
const WHY: &str = "made to fail";

/// What happens to a chosen commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is written, the caller gets `Unavailable`.
    Fail,
    /// The batch is written, the caller gets `Unavailable` all the same.
    PersistThenFail,
}

type Predicate = Box<dyn Fn(&Key) -> bool + Send + Sync>;

/// The command: clones share one state. Rules are used up by firing, except those of
/// [`Faults::fail_keys`], which stay until [`Faults::clear`].
#[derive(Clone, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    commits: u64,
    at: Vec<(u64, Mode)>,
    keys: Option<(Predicate, Mode)>,
    reads: u64,
    fired: u64,
}

impl Faults {
    /// The `nth` commit from now (1 is the next) goes wrong; may be called for several.
    pub fn fail_commit(&self, nth: u64, mode: Mode) {
        let mut state = self.state();
        let at = state.commits.saturating_add(nth);
        state.at.push((at, mode));
    }

    /// Every commit that puts or deletes a key for which `touches` holds goes wrong.
    pub fn fail_keys(&self, mode: Mode, touches: impl Fn(&Key) -> bool + Send + Sync + 'static) {
        self.state().keys = Some((Box::new(touches), mode));
    }

    /// The next `count` reads (get_many and scan) answer `Unavailable`.
    pub fn fail_reads(&self, count: u64) {
        self.state().reads = count;
    }

    /// Removes every rule.
    pub fn clear(&self) {
        let mut state = self.state();
        state.at.clear();
        state.keys = None;
        state.reads = 0;
    }

    /// Commits seen so far, those that failed included.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.state().commits
    }

    /// Commits and reads that were made to fail so far.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.state().fired
    }

    fn on_commit(&self, batch: &Batch) -> Step {
        let mut state = self.state();
        state.commits += 1;
        let now = state.commits;
        let due = state.at.iter().position(|(at, _)| *at == now);
        let mode = match due {
            Some(index) => Some(state.at.swap_remove(index).1),
            None => state.mode_for_keys(batch),
        };
        state.fired += u64::from(mode.is_some());
        match mode {
            None => Step::Go,
            Some(Mode::Fail) => Step::Unavailable(WHY.to_owned()),
            // A batch that fails anyway keeps its own error: it was not persisted.
            Some(Mode::PersistThenFail) => Step::ThenUnavailable(WHY.to_owned()),
        }
    }

    fn on_read(&self) -> Step {
        let mut state = self.state();
        if state.reads == 0 {
            return Step::Go;
        }
        state.reads -= 1;
        state.fired += 1;
        Step::Unavailable(WHY.to_owned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn mode_for_keys(&self, batch: &Batch) -> Option<Mode> {
        let (touches, mode) = self.keys.as_ref()?;
        let mut written = batch.puts.iter().map(|(key, _)| key).chain(&batch.deletes);
        written.any(touches).then_some(*mode)
    }
}

/// Wraps a store; the handle starts without rules.
pub fn faulty<S: Store + 'static>(store: S) -> (Hooked<S>, Faults) {
    let faults = Faults::default();
    let rules = faults.clone();
    let hooked = Hooked::over(Arc::new(store)).before(move |call| match call {
        Call::Commit(batch) => rules.on_commit(batch),
        Call::Get(..) | Call::Scan(..) => rules.on_read(),
        Call::Now | Call::Other => Step::Go,
    });
    (hooked, faults)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use engine::ports::store::{CommitError, Freshness, Version};

    use super::*;
    use crate::MemoryStore;

    fn put(name: &'static str) -> Batch {
        let puts = vec![(Key::from_static(name.as_bytes()), Bytes::from_static(b"1"))];
        Batch {
            puts,
            ..Batch::default()
        }
    }

    fn is_unavailable(outcome: &Result<Version, CommitError>) -> bool {
        matches!(outcome, Err(CommitError::Unavailable(_)))
    }

    #[tokio::test]
    async fn the_chosen_commits_fail() {
        let (store, faults) = faulty(MemoryStore::new());
        faults.fail_commit(2, Mode::Fail);
        faults.fail_commit(3, Mode::PersistThenFail);
        assert!(store.commit(put("a")).await.is_ok());
        assert!(is_unavailable(&store.commit(put("b")).await));
        assert!(is_unavailable(&store.commit(put("c")).await));
        assert!(store.commit(put("d")).await.is_ok());
        let names: Vec<Key> = store.inner().rows().into_iter().map(|row| row.0).collect();
        assert_eq!(names, ["a", "c", "d"]);
        assert_eq!((faults.commits(), faults.fired()), (4, 2));
    }

    #[tokio::test]
    async fn chosen_keys_and_reads_fail_until_cleared() {
        let (store, faults) = faulty(MemoryStore::new());
        faults.fail_keys(Mode::Fail, |key| key.starts_with(b"x"));
        assert!(is_unavailable(&store.commit(put("x1")).await));
        assert!(store.commit(put("y1")).await.is_ok());
        faults.fail_reads(1);
        assert!(store.get_many(&[], Freshness::Now).await.is_err());
        assert!(store.get_many(&[], Freshness::Now).await.is_ok());
        faults.clear();
        assert!(store.commit(put("x1")).await.is_ok());
    }
}
