//! Where a page stands in the map.

use alloc::vec::Vec;
use core::fmt;

use super::nibble;
use crate::{HASH_LEN, Hash};

/// The deepest page: its slots are single labels.
pub const PAGE_DEPTH_MAX: u8 = 63;

/// The address of a page: the label nibbles that lead to it.
///
/// The order is by depth, then by prefix, which is also the order of [`Self::key`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    depth: u8,
    prefix: [u8; HASH_LEN],
}

impl PageId {
    /// The page at the top.
    pub const ROOT: Self = Self {
        depth: 0,
        prefix: [0; HASH_LEN],
    };

    /// The page on a label's path at `depth` nibbles; `None` above [`PAGE_DEPTH_MAX`].
    pub fn on_path(label: &Hash, depth: u8) -> Option<Self> {
        (depth <= PAGE_DEPTH_MAX).then(|| Self {
            depth,
            prefix: masked(label, depth),
        })
    }

    /// Depth in nibbles, 0 to 63; the page covers the bit levels `4 * depth .. 4 * depth + 4`.
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    /// The first `depth` nibbles of every label in the page; the rest is zero.
    pub const fn prefix(&self) -> &[u8; HASH_LEN] {
        &self.prefix
    }

    /// Whether a label's path goes through this page.
    pub fn covers(&self, label: &Hash) -> bool {
        masked(label, self.depth) == self.prefix
    }

    /// The page below a slot (0 to 15); `None` at the deepest page or beyond the last slot.
    pub fn child(&self, slot: u8) -> Option<Self> {
        let depth = self
            .depth
            .checked_add(1)
            .filter(|depth| *depth <= PAGE_DEPTH_MAX)?;
        if slot > 0x0f {
            return None;
        }
        let mut child = Self {
            depth,
            prefix: self.prefix,
        };
        let byte = child.prefix.get_mut(usize::from(self.depth / 2))?;
        *byte |= if self.depth.is_multiple_of(2) {
            slot << 4
        } else {
            slot
        };
        Some(child)
    }

    /// The storage key: the depth byte and the `ceil(depth / 2)` bytes of the prefix that can be
    /// other than zero. Injective, and in the order of the ids.
    pub fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + prefix_len(self.depth));
        key.push(self.depth);
        key.extend(self.prefix.iter().take(prefix_len(self.depth)));
        key
    }

    /// Reads what [`Self::key`] wrote; `None` for any other bytes.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (depth, bytes) = key.split_first()?;
        if *depth > PAGE_DEPTH_MAX || bytes.len() != prefix_len(*depth) {
            return None;
        }
        let mut prefix = [0; HASH_LEN];
        prefix
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        let id = Self {
            depth: *depth,
            prefix,
        };
        id.covers(&Hash(prefix)).then_some(id)
    }
}

/// Depth and prefix nibbles, such as `3:a0f`.
impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.depth)?;
        let prefix = Hash(self.prefix);
        (0..self.depth).try_for_each(|depth| write!(f, "{:x}", nibble(&prefix, depth)))
    }
}

impl fmt::Debug for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn prefix_len(depth: u8) -> usize {
    usize::from(depth).div_ceil(2)
}

fn masked(label: &Hash, depth: u8) -> [u8; HASH_LEN] {
    let mut prefix = [0; HASH_LEN];
    let whole = usize::from(depth / 2);
    for (at, (to, from)) in prefix.iter_mut().zip(label.0).enumerate() {
        if at < whole {
            *to = from;
        } else if at == whole && !depth.is_multiple_of(2) {
            *to = from & 0xf0;
        } else {
            break;
        }
    }
    prefix
}
