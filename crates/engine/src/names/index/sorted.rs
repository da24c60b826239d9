//! Sorted names in pieces of text.
//!
//! Names stand in newline-separated pieces of up to 64 KiB, sorted over all pieces, so that an
//! insertion moves at most 64 KiB, a search is a run of memmem over contiguous text (a name holds no
//! newline), and a page of results in order is found without sorting.

use memchr::memmem;

use crate::types::Name;

/// A piece is split when it grows past this many bytes.
pub(super) const PIECE_BYTES_MAX: usize = 64 << 10;

/// Sorted names, each followed by a newline.
type Piece = Vec<u8>;

/// A set of names.
#[derive(Default)]
pub(super) struct Sorted {
    pieces: Vec<Piece>,
    len: usize,
}

impl Sorted {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Names that contain `fragment`, in order, from the `skip`-th match on, at most `limit`.
    /// Stops reading at the last one returned.
    pub(super) fn search(&self, fragment: &str, skip: u64, limit: usize) -> Vec<Name> {
        if fragment.contains('\n') {
            // No name holds one, while pieces do between names.
            return Vec::new();
        }
        let finder = memmem::Finder::new(fragment.as_bytes());
        let (mut found, mut skip) = (Vec::new(), skip);
        for piece in &self.pieces {
            let mut from = 0;
            while let Some(hit) = rest(piece, from).and_then(|rest| finder.find(rest)) {
                let start = line_start(piece, from + hit);
                from = next_line(piece, from + hit);
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if found.len() == limit {
                    return found;
                }
                found.extend(piece.get(start..from.saturating_sub(1)).and_then(read_name));
            }
        }
        found
    }

    /// Adds a name, unless it is there.
    pub(super) fn insert(&mut self, name: &Name) {
        let line = line(name);
        let pieces = &mut self.pieces;
        let at = piece_of(pieces, &line);
        let Some(piece) = pieces.get_mut(at) else {
            pieces.push(line);
            self.len += 1;
            return;
        };
        let Err(offset) = find(piece, &line) else {
            return;
        };
        self.len += 1;
        piece.splice(offset..offset, line);
        if piece.len() > PIECE_BYTES_MAX {
            let upper = piece.split_off(next_line(piece, piece.len() / 2));
            if !upper.is_empty() {
                pieces.insert(at + 1, upper);
            }
        }
    }

    /// Removes a name, if it is there.
    pub(super) fn remove(&mut self, name: &Name) {
        let line = line(name);
        let at = piece_of(&self.pieces, &line);
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        if let Ok(offset) = find(piece, &line) {
            self.len -= 1;
            piece.drain(offset..offset + line.len());
            if piece.is_empty() {
                self.pieces.remove(at);
            }
        }
    }

    /// Bytes of the largest piece.
    #[cfg(test)]
    pub(super) fn largest_piece(&self) -> usize {
        self.pieces.iter().map(Vec::len).max().unwrap_or_default()
    }
}

fn read_name(bytes: &[u8]) -> Option<Name> {
    Name::parse(std::str::from_utf8(bytes).ok()?).ok()
}

fn line(name: &Name) -> Vec<u8> {
    let mut line = name.as_str().as_bytes().to_vec();
    line.push(b'\n');
    line
}

/// The piece a line belongs to: the last whose first line is not greater.
fn piece_of(pieces: &[Piece], line: &[u8]) -> usize {
    pieces
        .partition_point(|piece| first_line(piece) <= line)
        .saturating_sub(1)
}

fn first_line(piece: &[u8]) -> &[u8] {
    piece.get(..next_line(piece, 0)).unwrap_or(piece)
}

/// Where a line stands in a piece, or where it would.
fn find(piece: &[u8], line: &[u8]) -> Result<usize, usize> {
    let (mut low, mut high) = (0, piece.len());
    while low < high {
        let middle = line_start(piece, low + (high - low) / 2);
        let end = next_line(piece, middle);
        match piece.get(middle..end).unwrap_or_default().cmp(line) {
            std::cmp::Ordering::Less => low = end,
            std::cmp::Ordering::Equal => return Ok(middle),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

/// What is left of a piece from an offset on; `None` at its end.
fn rest(piece: &[u8], from: usize) -> Option<&[u8]> {
    piece.get(from..).filter(|rest| !rest.is_empty())
}

/// Start of the line that covers offset `at`.
fn line_start(piece: &[u8], at: usize) -> usize {
    piece
        .get(..at)
        .and_then(|head| memchr::memrchr(b'\n', head))
        .map_or(0, |newline| newline + 1)
}

/// Start of the line behind the one that covers offset `at`.
fn next_line(piece: &[u8], at: usize) -> usize {
    let rest = piece.get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(piece.len(), |newline| at + newline + 1)
}
