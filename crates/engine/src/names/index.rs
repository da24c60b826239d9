//! The names anybody may search, in memory: substring search over a sorted list.
//!
//! Names stand in newline-separated pieces of up to 64 KiB, sorted over all pieces, so that an
//! insertion moves at most 64 KiB, a search is a run of memmem over contiguous text (a name holds no
//! newline), and a page of results in order is found without sorting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use memchr::memmem;

use crate::limits::APPLIED_NAMES_MAX;
use crate::tx::{NameChange, NameState};
use crate::types::{Name, Seqno};

/// A piece is split when it grows past this many bytes.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Sorted names, each followed by a newline.
type Piece = Vec<u8>;

/// The index. Shared by readers; writers hold it for one insertion.
#[derive(Default)]
pub(crate) struct NameIndex {
    names: RwLock<Names>,
    total: AtomicU64,
    loaded: AtomicBool,
}

#[derive(Default)]
struct Names {
    pieces: Vec<Piece>,
    /// Names that commits changed while the scan at start-up ran, and whether the directory still
    /// has them: what the scan read of them may be older, and is passed over.
    touched: HashMap<Name, bool>,
    /// How far that scan has come: the last name loaded, in order.
    scanned: Option<Name>,
    /// Seqnos of the changes applied last, in two generations, so that of two changes that come in
    /// the wrong order the newer one stays.
    applied: [HashMap<Name, Seqno>; 2],
}

impl NameIndex {
    /// Names in the directory, whether anybody may search them or not; those loaded so far while
    /// the index is loading.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Whether the scan at start-up is complete.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Says that the scan at start-up is complete.
    pub(crate) fn set_loaded(&self) {
        let mut names = self.write();
        let touched = std::mem::take(&mut names.touched);
        self.count(touched.into_values().filter(|held| *held).count());
        self.loaded.store(true, Ordering::Release);
    }

    /// Adds what the scan at start-up read, less what commits have changed since.
    pub(crate) fn load(&self, rows: impl Iterator<Item = (Name, bool)>) {
        let mut names = self.write();
        let mut loaded = 0;
        for (name, searchable) in rows {
            if !names.touched.contains_key(&name) {
                loaded += 1;
                if searchable {
                    names.insert(&name);
                }
            }
            names.scanned = Some(name);
        }
        self.count(loaded);
    }

    /// Applies what a commit did to a name, unless a newer change of it was applied before.
    pub(crate) fn apply(&self, change: &NameChange) {
        let mut names = self.write();
        let is_newest = names.is_newest(change);
        if self.is_loaded() || names.is_scanned(&change.name) {
            self.recount(change);
        } else if is_newest {
            let held = change.state != NameState::Gone;
            names.touched.insert(change.name.clone(), held);
        }
        if !is_newest {
            return;
        }
        match change.state {
            NameState::Searchable => names.insert(&change.name),
            NameState::Private | NameState::Gone => names.remove(&change.name),
        }
    }

    fn count(&self, more: usize) {
        self.total.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn recount(&self, change: &NameChange) {
        if change.is_new {
            self.count(1);
        } else if change.state == NameState::Gone {
            // A name that another process registered was never counted here.
            let fewer = |total: u64| Some(total.saturating_sub(1));
            let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
            let _always_some = self.total.fetch_update(set, fetch, fewer);
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Names> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names that contain `fragment`, in order, from the `skip`-th match on, at most `limit`.
    /// Stops reading at the last one returned.
    pub(crate) fn search(&self, fragment: &str, skip: u64, limit: usize) -> Vec<Name> {
        if fragment.contains('\n') {
            // No name holds one, while pieces do between names.
            return Vec::new();
        }
        let finder = memmem::Finder::new(fragment.as_bytes());
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let (mut found, mut skip) = (Vec::new(), skip);
        for piece in &names.pieces {
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
}

impl Names {
    /// Whether the scan at start-up has counted a name, if it was there.
    fn is_scanned(&self, name: &Name) -> bool {
        let behind = self.scanned.as_ref().is_some_and(|scanned| name <= scanned);
        behind && !self.touched.contains_key(name)
    }

    /// Whether no newer change of the name is known; remembers this one if so.
    fn is_newest(&mut self, change: &NameChange) -> bool {
        let [young, old] = &mut self.applied;
        let known = young.get(&change.name).or_else(|| old.get(&change.name));
        if known.is_some_and(|known| *known > change.seqno) {
            return false;
        }
        if young.len() >= APPLIED_NAMES_MAX {
            *old = std::mem::take(young);
        }
        young.insert(change.name.clone(), change.seqno);
        true
    }

    fn insert(&mut self, name: &Name) {
        let line = line(name);
        let pieces = &mut self.pieces;
        let at = piece_of(pieces, &line);
        let Some(piece) = pieces.get_mut(at) else {
            pieces.push(line);
            return;
        };
        let Err(offset) = find(piece, &line) else {
            return;
        };
        piece.splice(offset..offset, line);
        if piece.len() > PIECE_BYTES_MAX {
            let upper = piece.split_off(next_line(piece, piece.len() / 2));
            if !upper.is_empty() {
                pieces.insert(at + 1, upper);
            }
        }
    }

    fn remove(&mut self, name: &Name) {
        let line = line(name);
        let at = piece_of(&self.pieces, &line);
        let Some(piece) = self.pieces.get_mut(at) else {
            return;
        };
        if let Ok(offset) = find(piece, &line) {
            piece.drain(offset..offset + line.len());
            if piece.is_empty() {
                self.pieces.remove(at);
            }
        }
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

#[cfg(test)]
mod tests;
