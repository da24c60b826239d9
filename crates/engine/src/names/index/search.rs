//! A search that is done in steps, so that it neither keeps its thread nor the index for long.

use memchr::memmem::Finder;

use crate::limits::{SEARCH_PAGE_ROWS, SEARCH_PAGES_MAX};
use crate::types::Name;

use super::lines::{line_start, next_line};
use super::sorted::read_name;

/// A search under way: the names that contain a fragment, in order.
pub(crate) struct Search {
    finder: Finder<'static>,
    /// Matches to pass over before the first that is wanted.
    skip: u64,
    limit: usize,
    found: Vec<Name>,
    /// Where the next step begins: at the first line that is not smaller. `None` when it is done.
    next: Option<Vec<u8>>,
}

impl Search {
    /// One page, from 0, of 30. Those from [`SEARCH_PAGES_MAX`] on are empty.
    pub(crate) fn page(fragment: &str, page: u64) -> Self {
        let is_shown = page < SEARCH_PAGES_MAX;
        let skip = page.saturating_mul(SEARCH_PAGE_ROWS as u64);
        Self::new(fragment, skip, if is_shown { SEARCH_PAGE_ROWS } else { 0 })
    }

    /// From the `skip`-th match on, at most `limit`.
    pub(super) fn new(fragment: &str, skip: u64, limit: usize) -> Self {
        // No name holds a newline, while pieces do between names.
        let is_idle = limit == 0 || fragment.contains('\n');
        Self {
            finder: Finder::new(fragment.as_bytes()).into_owned(),
            skip,
            limit,
            found: Vec::new(),
            next: (!is_idle).then(Vec::new),
        }
    }

    /// Whether there is nothing left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.next.is_none()
    }

    /// What was found so far.
    pub(crate) fn found(self) -> Vec<Name> {
        self.found
    }

    /// Takes up where the step before ended.
    pub(super) fn resume(&mut self) -> Option<Vec<u8>> {
        self.next.take()
    }

    /// Ends a step.
    pub(super) fn pause_at(&mut self, line: &[u8]) {
        self.next = Some(line.to_vec());
    }

    pub(super) fn skip(&self) -> u64 {
        self.skip
    }

    /// Looks at lines, each of which ends with a newline; whether all that is wanted is found.
    pub(super) fn look_at(&mut self, text: &[u8]) -> bool {
        let mut from = 0;
        while let Some(hit) = rest(text, from).and_then(|rest| self.finder.find(rest)) {
            let start = line_start(text, from + hit);
            from = next_line(text, from + hit);
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            let line = text.get(start..from.saturating_sub(1));
            self.found.extend(line.and_then(read_name));
            if self.found.len() >= self.limit {
                return true;
            }
        }
        false
    }
}

/// What is left of a piece from an offset on; `None` at its end.
fn rest(text: &[u8], from: usize) -> Option<&[u8]> {
    text.get(from..).filter(|rest| !rest.is_empty())
}
