//! Changing the map: load what a set of labels needs, set values, get the pages to write.

use alloc::vec::Vec;
use core::ops::Range;

use super::page::SLOTS;
use super::rewrite::rewrite;
use super::{MapError, MapLeaf, Page, PageId, Slot, nibble};
use crate::Hash;

/// Marks a slot without a loaded page below it.
const NO_PAGE: u32 = u32::MAX;

/// One change of the map, for any number of labels.
///
/// Load first: while [`Self::wanted`] is not empty, [`Self::supply`] every page it names; pages
/// come in rounds, one per depth. Then [`Self::current`] tells what the map holds, [`Self::set`]
/// changes it, and [`Self::finish`] answers the new root and pages. All pages must be of one state
/// of the map, and nothing may change it until the result is stored.
#[derive(Clone, Debug)]
pub struct MapBatch {
    /// Sorted by label, each once.
    labels: Vec<Row>,
    pages: Vec<Loaded>,
    /// This round, sorted by id.
    wants: Vec<Want>,
    missing: usize,
}

/// The map after a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapChange {
    /// The new root of the map.
    pub root: Hash,
    /// Every page on the path of a label that was set, with its bytes, sorted by id. To be stored
    /// over what is there, all or none of them.
    pub pages: Vec<(PageId, Vec<u8>)>,
}

#[derive(Clone, Debug)]
struct Row {
    label: Hash,
    found: Option<MapLeaf>,
    set: Option<MapLeaf>,
}

/// A page of the map, with the places of the loaded pages below its slots.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) page: Page,
    below: [u32; SLOTS],
}

#[derive(Clone, Debug)]
struct Want {
    id: PageId,
    /// The labels below it.
    labels: Range<usize>,
    /// The page and slot above it; the root page has none.
    parent: Option<(usize, u8)>,
    supplied: Option<usize>,
}

impl Loaded {
    pub(super) const fn new(page: Page) -> Self {
        Self {
            page,
            below: [NO_PAGE; SLOTS],
        }
    }

    pub(super) fn below(&self, slot: u8) -> Option<usize> {
        let place = self
            .below
            .get(usize::from(slot))
            .filter(|place| **place != NO_PAGE)?;
        usize::try_from(*place).ok()
    }
}

impl MapBatch {
    /// Prepares to set all these leaves.
    ///
    /// # Errors
    /// [`MapError::DuplicateLabel`] when a label occurs twice.
    pub fn new(leaves: Vec<MapLeaf>) -> Result<Self, MapError> {
        let rows = leaves.into_iter();
        let rows = rows.map(|leaf| Row {
            label: leaf.label,
            found: None,
            set: Some(leaf),
        });
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_unstable_by_key(|row| row.label);
        let mut pairs = rows.iter().zip(rows.iter().skip(1));
        match pairs.find(|(left, right)| left.label == right.label) {
            Some((twice, _)) => Err(MapError::DuplicateLabel(twice.label)),
            None => Ok(Self::of(rows)),
        }
    }

    /// Prepares to look at these labels, and perhaps set some; a label given twice counts once.
    pub fn load(mut labels: Vec<Hash>) -> Self {
        labels.sort_unstable();
        labels.dedup();
        let rows = labels.into_iter().map(|label| Row {
            label,
            found: None,
            set: None,
        });
        Self::of(rows.collect())
    }

    /// The pages to supply before anything else: this round's that are still missing.
    pub fn wanted(&self) -> Vec<PageId> {
        let missing = self.wants.iter().filter(|want| want.supplied.is_none());
        missing.map(|want| want.id).collect()
    }

    /// Takes one wanted page: its bytes, or `None` when the store has none.
    ///
    /// Only the root page may be absent: then the map is empty. That a page fits the hash above it
    /// is not checked here; [`super::MapReader`] does, and so can anybody who reads all pages.
    ///
    /// # Errors
    /// [`MapError::Unwanted`], [`MapError::MissingPage`] or [`MapError::MalformedPage`]; the batch
    /// is as before.
    pub fn supply(&mut self, id: PageId, bytes: Option<&[u8]>) -> Result<(), MapError> {
        let at = self.wants.binary_search_by(|want| want.id.cmp(&id));
        let want = at.ok().and_then(|at| self.wants.get_mut(at));
        let want = want
            .filter(|want| want.supplied.is_none())
            .ok_or(MapError::Unwanted(id))?;
        let page = match bytes {
            Some(bytes) => Page::decode(id, bytes).ok_or(MapError::MalformedPage(id))?,
            None if id == PageId::ROOT => Page::EMPTY,
            None => return Err(MapError::MissingPage(id)),
        };
        want.supplied = Some(self.pages.len());
        self.pages.push(Loaded {
            page,
            below: [NO_PAGE; SLOTS],
        });
        self.missing -= 1;
        if self.missing == 0 {
            self.next_round();
        }
        Ok(())
    }

    /// What the map holds for a loaded label before this batch; `None` for a label it has not, or
    /// that this batch did not load, or while pages are still wanted.
    pub fn current(&self, label: &Hash) -> Option<MapLeaf> {
        self.labels.get(self.find(label)?)?.found
    }

    /// Sets the value of a loaded label; setting it again replaces it.
    ///
    /// # Errors
    /// [`MapError::UnknownLabel`] when this batch did not load it.
    pub fn set(&mut self, label: &Hash, seqno: u32, commitment: Hash) -> Result<(), MapError> {
        let row = self.find(label).and_then(|at| self.labels.get_mut(at));
        let row = row.ok_or(MapError::UnknownLabel(*label))?;
        row.set = Some(MapLeaf {
            label: *label,
            seqno,
            commitment,
        });
        Ok(())
    }

    /// The root and pages with all set values; without any, the present root and no page.
    ///
    /// Costs at most 31 hashes per page on the path of a label that was set.
    ///
    /// # Errors
    /// [`MapError::Unfinished`] while pages are wanted.
    pub fn finish(self) -> Result<MapChange, MapError> {
        if self.missing > 0 {
            return Err(MapError::Unfinished);
        }
        let root = self.pages.first().ok_or(MapError::Unfinished)?;
        let changes: Vec<MapLeaf> = self.labels.iter().filter_map(|row| row.set).collect();
        if changes.is_empty() {
            return Ok(MapChange {
                root: root.page.hash(),
                pages: Vec::new(),
            });
        }
        rewrite(self.pages, &changes)
    }

    fn of(labels: Vec<Row>) -> Self {
        let all = 0..labels.len();
        let root = Want {
            id: PageId::ROOT,
            labels: all,
            parent: None,
            supplied: None,
        };
        Self {
            labels,
            pages: Vec::new(),
            wants: [root].into(),
            missing: 1,
        }
    }

    fn find(&self, label: &Hash) -> Option<usize> {
        self.labels
            .binary_search_by(|row| row.label.cmp(label))
            .ok()
    }

    /// Settles the labels that end in this round's pages; the others want a page one deeper.
    fn next_round(&mut self) {
        let round = core::mem::take(&mut self.wants);
        for want in round {
            let Some(at) = want.supplied else { continue };
            if let Some((parent, slot)) = want.parent {
                self.link(parent, slot, at);
            }
            self.descend(&want, at);
        }
        self.missing = self.wants.len();
        self.pages.reserve(self.missing);
    }

    fn link(&mut self, parent: usize, slot: u8, page: usize) {
        let below = self.pages.get_mut(parent).map(|loaded| &mut loaded.below);
        if let Some(place) = below.and_then(|below| below.get_mut(usize::from(slot))) {
            *place = u32::try_from(page).unwrap_or(NO_PAGE);
        }
    }

    fn descend(&mut self, want: &Want, page: usize) {
        let Some(loaded) = self.pages.get(page) else {
            return;
        };
        let Some(rows) = self.labels.get_mut(want.labels.clone()) else {
            return;
        };
        let mut begin = want.labels.start;
        for group in rows.chunk_by_mut(|l, r| same_slot(&l.label, &r.label, want.id)) {
            let labels = begin..begin + group.len();
            begin = labels.end;
            let slot = group
                .first()
                .map_or(0, |row| nibble(&row.label, want.id.depth()));
            match loaded.page.slot(slot) {
                Slot::Empty => (),
                Slot::Leaf(leaf) => {
                    group
                        .iter_mut()
                        .filter(|row| row.label == leaf.label)
                        .for_each(|row| {
                            row.found = Some(leaf);
                        });
                }
                Slot::Child(_) => {
                    let parent = Some((page, slot));
                    let id = want.id.child(slot);
                    self.wants.extend(id.map(|id| Want {
                        id,
                        labels,
                        parent,
                        supplied: None,
                    }));
                }
            }
        }
    }
}

/// Whether two labels below a page fall into the same slot of it.
pub(super) fn same_slot(left: &Hash, right: &Hash, id: PageId) -> bool {
    nibble(left, id.depth()) == nibble(right, id.depth())
}
