//! Names in order, and those that contain a text: a run of memmem over contiguous text, as no name
//! holds a newline. A page of results in order is found without sorting.

use memchr::memmem;

use crate::types::Name;

use super::lines::{Lines, line_start, next_line};

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

    /// Names that contain `fragment`, in order, from the `skip`-th match on, at most `limit`.
    /// Stops reading at the last one returned.
    pub(super) fn search(&self, fragment: &str, skip: u64, limit: usize) -> Vec<Name> {
        if fragment.contains('\n') {
            // No name holds one, while pieces do between names.
            return Vec::new();
        }
        if usize::try_from(skip).map_or(true, |skip| skip >= self.len()) {
            return Vec::new();
        }
        let finder = memmem::Finder::new(fragment.as_bytes());
        let (mut found, mut skip) = (Vec::new(), skip);
        for text in self.0.texts() {
            let mut from = 0;
            while let Some(hit) = rest(text, from).and_then(|rest| finder.find(rest)) {
                let start = line_start(text, from + hit);
                from = next_line(text, from + hit);
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if found.len() == limit {
                    return found;
                }
                found.extend(text.get(start..from.saturating_sub(1)).and_then(read_name));
            }
        }
        found
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

/// What is left of a piece from an offset on; `None` at its end.
fn rest(text: &[u8], from: usize) -> Option<&[u8]> {
    text.get(from..).filter(|rest| !rest.is_empty())
}
