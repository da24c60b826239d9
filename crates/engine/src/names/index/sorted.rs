//! Names in order, and those that contain a text: runs of memmem over contiguous text, as no name
//! holds a newline. A page of results in order is found without sorting.

use crate::limits::SEARCH_STEP_PIECES;
use crate::types::Name;

use super::lines::{Lines, first};
use super::search::Search;

/// Large pieces make long runs.
pub(super) const PIECE_BYTES_MAX: usize = 64 << 10;

/// A set of names.
pub(super) struct Sorted(Lines);

impl Default for Sorted {
    fn default() -> Self {
        Self(Lines::new(PIECE_BYTES_MAX))
    }
}

impl Sorted {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Does a step of a search: [`SEARCH_STEP_PIECES`] pieces, or fewer when it is done before.
    pub(super) fn search_on(&self, search: &mut Search) {
        let Some(from) = search.resume() else { return };
        if usize::try_from(search.skip()).map_or(true, |skip| skip >= self.len()) {
            return;
        }
        for (count, text) in self.0.texts_from(&from).enumerate() {
            if count == SEARCH_STEP_PIECES {
                return search.pause_at(first(text));
            }
            if search.look_at(text) {
                return;
            }
        }
    }

    /// Adds a name, unless it is there.
    pub(super) fn insert(&mut self, name: &Name) {
        self.0.insert(name.as_str().as_bytes());
    }

    /// Removes a name, if it is there.
    pub(super) fn remove(&mut self, name: &Name) {
        self.0.remove(name.as_str().as_bytes());
    }

    /// Bytes of the largest piece.
    #[cfg(test)]
    pub(super) fn largest_piece(&self) -> usize {
        self.0.largest_piece()
    }
}

/// A name as a line holds it.
pub(super) fn read_name(bytes: &[u8]) -> Option<Name> {
    Name::parse(std::str::from_utf8(bytes).ok()?).ok()
}
