//! The four levels inside a page, from its slots up to its top.

use super::map_node;
use crate::Hash;

/// A subtree: how many leaves it has, as far as hashing cares, and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Empty,
    One(Hash),
    Many(Hash),
}

impl Cell {
    pub(crate) const fn hash(&self) -> Hash {
        match self {
            Self::Empty => Hash::ZERO,
            Self::One(hash) | Self::Many(hash) => *hash,
        }
    }

    /// The subtree over two halves: only one with two leaves or more costs a hash.
    fn join(left: Self, right: Self) -> Self {
        match (left, right) {
            (Self::Empty, only @ (Self::Empty | Self::One(_))) => only,
            (only @ Self::One(_), Self::Empty) => only,
            (left, right) => Self::Many(map_node(&left.hash(), &right.hash())),
        }
    }
}

/// All subtrees of a page: row k has 2^k of them, row 4 being the slots.
pub(crate) struct Rows {
    top: Cell,
    two: [Cell; 2],
    four: [Cell; 4],
    eight: [Cell; 8],
    slots: [Cell; 16],
}

impl Rows {
    pub(crate) fn over(slots: [Cell; 16]) -> Self {
        let eight = join_pairs(&slots);
        let four = join_pairs(&eight);
        let two = join_pairs(&four);
        let [top] = join_pairs(&two);
        Self {
            top,
            two,
            four,
            eight,
            slots,
        }
    }

    pub(crate) const fn top(&self) -> Cell {
        self.top
    }

    /// The subtree of row `row` (0 to 4) that contains slot `slot`.
    pub(crate) fn on_path(&self, row: usize, slot: u8) -> Cell {
        self.at(row, usize::from(slot) >> (4 - row.min(4)))
    }

    /// The other half of that subtree's parent, for a row of 1 to 4.
    pub(crate) fn sibling(&self, row: usize, slot: u8) -> Cell {
        self.at(row, (usize::from(slot) >> (4 - row.min(4))) ^ 1)
    }

    fn at(&self, row: usize, at: usize) -> Cell {
        let row: &[Cell] = match row {
            0 => core::slice::from_ref(&self.top),
            1 => &self.two,
            2 => &self.four,
            3 => &self.eight,
            _ => &self.slots,
        };
        row.get(at).copied().unwrap_or(Cell::Empty)
    }
}

fn join_pairs<const HALF: usize>(row: &[Cell]) -> [Cell; HALF] {
    let (pairs, _) = row.as_chunks::<2>();
    let mut joined = [Cell::Empty; HALF];
    for (to, [left, right]) in joined.iter_mut().zip(pairs) {
        *to = Cell::join(*left, *right);
    }
    joined
}
