//! One group of batches: each is checked against the store and what the group wrote before it.

use std::collections::HashMap;

use bytes::Bytes;
use engine::ports::store::{Batch, CommitError, Expect, Key, StoreError, Version};

use super::handle::Handle;

/// What a group writes: for each key its version and its value, or no value if it is removed. A key
/// occurs once, so that the engine sees the group's last word only.
pub(crate) type Writes = HashMap<Key, (Version, Option<Bytes>)>;

pub(crate) struct Group<'a> {
    handle: &'a Handle,
    writes: Writes,
    newest: u64,
}

impl<'a> Group<'a> {
    /// An empty group; its first writing batch gets the version after `newest`.
    pub(crate) fn new(handle: &'a Handle, newest: u64) -> Self {
        Self {
            handle,
            writes: Writes::new(),
            newest,
        }
    }

    /// Takes a batch in if its checks hold.
    pub(crate) fn add(&mut self, batch: Batch) -> Result<Version, CommitError> {
        self.check(&batch)?;
        if batch.puts.is_empty() && batch.deletes.is_empty() {
            return Ok(Version(self.newest));
        }
        self.newest += 1;
        let version = Version(self.newest);
        for key in batch.deletes {
            self.writes.insert(key, (version, None));
        }
        for (key, value) in batch.puts {
            self.writes.insert(key, (version, Some(value)));
        }
        Ok(version)
    }

    /// What the group wrote, and the newest version it gave.
    pub(crate) fn into_writes(self) -> (Writes, u64) {
        (self.writes, self.newest)
    }

    fn check(&self, batch: &Batch) -> Result<(), CommitError> {
        for (index, (key, expect)) in batch.checks.iter().enumerate() {
            if !holds(*expect, self.version(key)?) {
                return Err(CommitError::Conflict(index));
            }
        }
        Ok(())
    }

    fn version(&self, key: &Key) -> Result<Option<Version>, CommitError> {
        if let Some((version, value)) = self.writes.get(key) {
            return Ok(value.as_ref().map(|_| *version));
        }
        let found = self
            .handle
            .get(std::slice::from_ref(key))
            .map_err(unreadable)?;
        Ok(found
            .into_iter()
            .next()
            .flatten()
            .map(|(version, _)| version))
    }
}

/// Whether a key's version is what a batch expects.
pub(crate) fn holds(expect: Expect, found: Option<Version>) -> bool {
    match expect {
        Expect::Absent => found.is_none(),
        Expect::Is(version) => found == Some(version),
    }
}

/// A failed read, as the answer to a commit; nothing was changed.
pub(crate) fn unreadable(error: StoreError) -> CommitError {
    match error {
        StoreError::Corrupt(said) => CommitError::Fatal(said),
        StoreError::Unavailable(said) => CommitError::Unavailable(said),
        StoreError::Busy(conflicts) => CommitError::Unavailable(format!("{conflicts} conflicts")),
    }
}
