//! Pages: four levels of the map, as sixteen slots.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1..5 | sixteen tags of two bits, slot 0 in the highest: 0 empty, 1 leaf, 2 child |
//! | then, for each slot in order | leaf: label 32 ‖ seqno u32 big-endian ‖ commitment 32; child: hash 32 |

use alloc::vec::Vec;

use super::rows::{Cell, Rows};
use super::{LEAF_LEN, MapLeaf, PAGE_DEPTH_MAX, PageId, nibble};
use crate::{HASH_LEN, Hash};

const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + size_of::<u32>();
const TAG_EMPTY: u32 = 0;
const TAG_LEAF: u32 = 1;
const TAG_CHILD: u32 = 2;

/// Slots per page.
pub(crate) const SLOTS: usize = 16;

/// The subtree of one of the sixteen label nibbles that follow a page's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// No leaf.
    Empty,
    /// Exactly one leaf.
    Leaf(MapLeaf),
    /// Two leaves or more: they are in the page below, and this is the hash of its subtree.
    Child(Hash),
}

/// A page's content. Which page it is, is not part of it: see [`PageId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub(crate) slots: [Slot; SLOTS],
}

impl Page {
    pub(crate) const EMPTY: Self = Self {
        slots: [Slot::Empty; SLOTS],
    };

    /// The sixteen slots, by the nibble that follows the page's prefix.
    pub const fn slots(&self) -> &[Slot; SLOTS] {
        &self.slots
    }

    /// The hash of the page's subtree, as its parent's slot holds it, or the map's root.
    ///
    /// At most 31 SHA-256: one per leaf and one per node with two leaves or more.
    pub fn hash(&self) -> Hash {
        self.rows().top().hash()
    }

    /// Reads the page `id`; what is accepted encodes to the same bytes again.
    ///
    /// `None` unless the bytes are canonical: known version and tags, exact length, every leaf in
    /// the slot its label belongs to, no child of hash zero or below the deepest page, and no page
    /// that should not exist (an empty one, or one leaf alone below the root).
    pub fn decode(id: PageId, bytes: &[u8]) -> Option<Self> {
        let (header, mut rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let [version, tags @ ..] = *header;
        if version != VERSION {
            return None;
        }
        let tags = u32::from_be_bytes(tags);
        let mut page = Self::EMPTY;
        for (at, slot) in (0_u8..).zip(&mut page.slots) {
            match tags >> (30 - 2 * at) & 3 {
                TAG_EMPTY => (),
                TAG_LEAF => *slot = Slot::Leaf(read_leaf(id, at, &mut rest)?),
                TAG_CHILD => *slot = Slot::Child(read_child(id, &mut rest)?),
                _ => return None,
            }
        }
        (rest.is_empty() && page.may_exist(id)).then_some(page)
    }

    /// The page's bytes: 5 to 1,093 of them.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        bytes.resize(HEADER_LEN, VERSION);
        let mut tags = 0;
        for slot in &self.slots {
            tags <<= 2;
            match slot {
                Slot::Empty => tags |= TAG_EMPTY,
                Slot::Leaf(leaf) => {
                    tags |= TAG_LEAF;
                    bytes.extend_from_slice(&leaf.to_bytes());
                }
                Slot::Child(hash) => {
                    tags |= TAG_CHILD;
                    bytes.extend_from_slice(&hash.0);
                }
            }
        }
        if let Some(field) = bytes.get_mut(1..HEADER_LEN) {
            field.copy_from_slice(&u32::to_be_bytes(tags));
        }
        bytes
    }

    fn encoded_len(&self) -> usize {
        self.slots.iter().fold(HEADER_LEN, |len, slot| match slot {
            Slot::Empty => len,
            Slot::Leaf(_) => len + LEAF_LEN,
            Slot::Child(_) => len + HASH_LEN,
        })
    }

    pub(crate) fn slot(&self, at: u8) -> Slot {
        self.slots
            .get(usize::from(at))
            .copied()
            .unwrap_or(Slot::Empty)
    }

    pub(crate) fn put(&mut self, at: u8, slot: Slot) {
        if let Some(place) = self.slots.get_mut(usize::from(at)) {
            *place = slot;
        }
    }

    pub(crate) fn rows(&self) -> Rows {
        Rows::over(self.slots.map(|slot| match slot {
            Slot::Empty => Cell::Empty,
            Slot::Leaf(leaf) => Cell::One(leaf.hash()),
            Slot::Child(hash) => Cell::Many(hash),
        }))
    }

    fn may_exist(&self, id: PageId) -> bool {
        let count = self.slots.iter().fold(0, |count, slot| match slot {
            Slot::Empty => count,
            Slot::Leaf(_) => count + 1,
            Slot::Child(_) => count + 2,
        });
        count >= if id == PageId::ROOT { 1 } else { 2 }
    }
}

fn read_leaf(id: PageId, slot: u8, rest: &mut &[u8]) -> Option<MapLeaf> {
    let (bytes, after) = rest.split_first_chunk::<LEAF_LEN>()?;
    *rest = after;
    let leaf = MapLeaf::from_bytes(bytes)?;
    let placed = id.covers(&leaf.label) && nibble(&leaf.label, id.depth()) == slot;
    placed.then_some(leaf)
}

fn read_child(id: PageId, rest: &mut &[u8]) -> Option<Hash> {
    let (bytes, after) = rest.split_first_chunk::<HASH_LEN>()?;
    *rest = after;
    let hash = Hash(*bytes);
    (hash != Hash::ZERO && id.depth() < PAGE_DEPTH_MAX).then_some(hash)
}
