//! The stored checkpoints, in the order of their sizes.

use std::collections::VecDeque;

use merkle::note::{Checkpoint, VerifierKey};

use super::{AuditError, Finding, LogSource, fault, unread};
use crate::checkpoint;

/// A reader of all checkpoints, one page ahead.
pub(super) struct Checkpoints<'k> {
    key: &'k VerifierKey,
    notes: VecDeque<Vec<u8>>,
    /// Where the next page begins; `None` after the last one.
    from: Option<u64>,
    /// The one to come, verified.
    next: Option<Result<Checkpoint, Finding>>,
    /// Size of the last one taken.
    size: u64,
    taken: u64,
}

impl<'k> Checkpoints<'k> {
    pub(super) const fn new(key: &'k VerifierKey) -> Self {
        Self {
            key,
            notes: VecDeque::new(),
            from: Some(0),
            next: None,
            size: 0,
            taken: 0,
        }
    }

    /// The checkpoint to come, seen from entry `index`. A bad one is reported at the first entry
    /// that the one before does not cover, which is when it is first asked for.
    pub(super) async fn next<S: LogSource>(
        &mut self,
        source: &S,
        index: u64,
    ) -> Result<Option<Checkpoint>, AuditError> {
        if self.next.is_none() {
            if self.notes.is_empty() {
                self.read_page(source, index).await?;
            }
            self.next = self.notes.pop_front().map(|note| self.verify(&note));
        }
        match &self.next {
            Some(Ok(checkpoint)) => Ok(Some(checkpoint.clone())),
            Some(Err(what)) => Err(fault(index, what.clone()).into()),
            None => Ok(None),
        }
    }

    /// The checkpoint to come was in order.
    pub(super) fn take(&mut self) {
        if let Some(Ok(checkpoint)) = self.next.take() {
            self.size = checkpoint.size;
            self.taken += 1;
        }
    }

    /// How many were in order.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    async fn read_page<S: LogSource>(&mut self, source: &S, index: u64) -> Result<(), AuditError> {
        let Some(from) = self.from else { return Ok(()) };
        let page = source.checkpoints(from).await;
        let page = page.map_err(|e| unread(index, e))?;
        let goes_on = page
            .next
            .is_none_or(|next| next > from && !page.notes.is_empty());
        if !goes_on {
            return Err(fault(index, Finding::CheckpointPages).into());
        }
        self.from = page.next;
        self.notes = page.notes.into();
        Ok(())
    }

    fn verify(&self, note: &[u8]) -> Result<Checkpoint, Finding> {
        let checkpoint = checkpoint::verify(note, self.key).map_err(Finding::Checkpoint)?;
        if checkpoint.size <= self.size {
            return Err(Finding::CheckpointOrder(checkpoint.size));
        }
        Ok(checkpoint)
    }
}
