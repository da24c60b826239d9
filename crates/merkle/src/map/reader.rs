//! Reading the map: from the pages on a label's path to a proof.

use alloc::vec::Vec;

use super::rows::Cell;
use super::{MapError, MapProof, PAGE_DEPTH_MAX, Page, PageId, Slot, Terminal, nibble};
use crate::Hash;

/// Pages asked for at a time. Among n random labels, n / 2^32 of all look-ups go deeper than eight.
const ROUND: u8 = 8;

/// One look-up of a label.
///
/// While [`Self::wanted`] is not empty, [`Self::supply`] what it names, in any order; then
/// [`Self::proof`]. All pages must be of one state of the map; the proof checks it.
#[derive(Clone, Debug)]
pub struct MapReader {
    label: Hash,
    /// By depth; `None` inside for a page that does not exist.
    pages: Vec<Option<Option<Page>>>,
    decided: bool,
}

impl MapReader {
    /// Prepares to read a label.
    pub fn new(label: Hash) -> Self {
        Self {
            label,
            pages: [None; ROUND as usize].into(),
            decided: false,
        }
    }

    /// The pages still wanted: at first all eight of the label's first eight nibbles, so that one
    /// round trip will do; most of the deeper ones do not exist. Empty once the label is decided.
    pub fn wanted(&self) -> Vec<PageId> {
        if self.decided {
            return Vec::new();
        }
        let missing = (0_u8..).zip(&self.pages).filter(|(_, page)| page.is_none());
        missing
            .filter_map(|(depth, _)| PageId::on_path(&self.label, depth))
            .collect()
    }

    /// Takes a wanted page: its bytes, or `None` when the store has none.
    ///
    /// # Errors
    /// [`MapError::Unwanted`] for a page off the path or supplied before,
    /// [`MapError::MalformedPage`], or [`MapError::MissingPage`] when a page above says that this
    /// one exists.
    pub fn supply(&mut self, id: PageId, bytes: Option<&[u8]>) -> Result<(), MapError> {
        let place = self.pages.get_mut(usize::from(id.depth()));
        let place = place.filter(|place| place.is_none() && id.covers(&self.label));
        let place = place.ok_or(MapError::Unwanted(id))?;
        let page = bytes.map(|bytes| Page::decode(id, bytes).ok_or(MapError::MalformedPage(id)));
        *place = Some(page.transpose()?);
        self.decide()
    }

    /// The root these pages belong to, once the label is decided: at most 31 hashes.
    ///
    /// # Errors
    /// [`MapError::Unfinished`] while pages are wanted.
    pub fn root(&self) -> Result<Hash, MapError> {
        if !self.decided {
            return Err(MapError::Unfinished);
        }
        Ok(self.page(0).map_or(Hash::ZERO, |page| page.hash()))
    }

    /// The proof that the label is in the map, or that it is not: at most 31 hashes per page.
    ///
    /// # Errors
    /// [`MapError::Unfinished`] while pages are wanted, [`MapError::TornPage`] when a page has
    /// changed between the reads: then read again.
    pub fn proof(&self) -> Result<MapProof, MapError> {
        if !self.decided {
            return Err(MapError::Unfinished);
        }
        let mut siblings = Vec::new();
        let mut expected = None;
        for depth in 0..=PAGE_DEPTH_MAX {
            let Some(page) = self.page(depth) else { break };
            let rows = page.rows();
            if expected.is_some_and(|hash| hash != rows.top().hash()) {
                let id = PageId::on_path(&self.label, depth);
                return Err(id.map_or(MapError::Unfinished, MapError::TornPage));
            }
            let slot = nibble(&self.label, depth);
            let mut row = 0;
            let mut cell = rows.top();
            while row < 4 && matches!(cell, Cell::Many(_)) {
                row += 1;
                siblings.push(rows.sibling(row, slot).hash());
                cell = rows.on_path(row, slot);
            }
            match cell {
                Cell::Empty => return Ok(MapProof::of(siblings, Terminal::EmptySlot)),
                Cell::One(_) => return Ok(MapProof::of(siblings, self.alone(page, row, slot))),
                Cell::Many(hash) => expected = Some(hash),
            }
        }
        Ok(MapProof::of(siblings, Terminal::EmptySlot))
    }

    /// The one leaf among the slots of the label's subtree in row `row`.
    fn alone(&self, page: &Page, row: usize, slot: u8) -> Terminal {
        let shift = 4 - row;
        let in_subtree = |at: u8| at >> shift == slot >> shift;
        let slots = (0_u8..).zip(page.slots()).filter(|(at, _)| in_subtree(*at));
        let leaf = slots.map(|(_, slot)| slot).find_map(|slot| match slot {
            Slot::Leaf(leaf) => Some(*leaf),
            Slot::Empty | Slot::Child(_) => None,
        });
        match leaf {
            Some(leaf) if leaf.label == self.label => Terminal::Present {
                seqno: leaf.seqno,
                commitment: leaf.commitment,
            },
            Some(leaf) => Terminal::OtherLeaf(leaf),
            None => Terminal::EmptySlot,
        }
    }

    fn page(&self, depth: u8) -> Option<&Page> {
        self.pages.get(usize::from(depth))?.as_ref()?.as_ref()
    }

    /// Walks down as far as pages are there; asks for the next round at the end of this one.
    fn decide(&mut self) -> Result<(), MapError> {
        for depth in 0..=PAGE_DEPTH_MAX {
            match self.pages.get(usize::from(depth)) {
                Some(None) => return Ok(()),
                Some(Some(None)) if depth == 0 => break,
                Some(Some(None)) => {
                    let id = PageId::on_path(&self.label, depth);
                    return Err(id.map_or(MapError::Unfinished, MapError::MissingPage));
                }
                Some(Some(Some(page))) => match page.slot(nibble(&self.label, depth)) {
                    Slot::Empty | Slot::Leaf(_) => break,
                    Slot::Child(_) => (),
                },
                None => {
                    self.pages.extend([None; ROUND as usize]);
                    return Ok(());
                }
            }
        }
        self.decided = true;
        Ok(())
    }
}
