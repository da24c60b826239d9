//! From changed leaves to changed pages.

use alloc::vec::Vec;

use super::batch::{Loaded, same_slot};
use super::{MapChange, MapError, MapLeaf, Page, PageId, Slot, nibble};
use crate::Hash;

/// Puts `changes` (sorted by label, not empty) into the map of the loaded pages, root first.
pub(super) fn rewrite(pages: Vec<Loaded>, changes: &[MapLeaf]) -> Result<MapChange, MapError> {
    let root = Work {
        id: PageId::ROOT,
        page: 0,
        changes,
        parent: None,
    };
    let mut rewrite = Rewrite {
        work: [root].into(),
        pages,
    };
    let mut next = 0;
    while next < rewrite.work.len() {
        rewrite.apply(next)?;
        next += 1;
    }
    Ok(rewrite.hash_up())
}

struct Rewrite<'a> {
    /// The loaded pages, then those that did not exist before.
    pages: Vec<Loaded>,
    /// The pages that change, sorted by id, so parents stand before their children.
    work: Vec<Work<'a>>,
}

struct Work<'a> {
    id: PageId,
    /// Place in [`Rewrite::pages`].
    page: usize,
    changes: &'a [MapLeaf],
    /// Place in [`Rewrite::pages`] and slot of the page above; none for the root.
    parent: Option<(usize, u8)>,
}

impl Rewrite<'_> {
    /// Puts a page's changes into its slots; those that need a page below become more work.
    fn apply(&mut self, at: usize) -> Result<(), MapError> {
        let Some(work) = self.work.get(at) else {
            return Ok(());
        };
        let (id, above, changes) = (work.id, work.page, work.changes);
        for group in changes.chunk_by(|left, right| same_slot(&left.label, &right.label, id)) {
            let (Some(first), Some(old)) = (group.first(), self.pages.get_mut(above)) else {
                continue;
            };
            let slot = nibble(&first.label, id.depth());
            let page = match old.page.slot(slot) {
                Slot::Child(_) => old.below(slot).ok_or(MapError::Unfinished)?,
                Slot::Empty if group.len() > 1 => self.add(Page::EMPTY),
                Slot::Leaf(leaf) if group.len() > 1 || leaf.label != first.label => {
                    self.add(page_below(id, leaf))
                }
                Slot::Empty | Slot::Leaf(_) => {
                    old.page.put(slot, Slot::Leaf(*first));
                    continue;
                }
            };
            // Two different labels differ in the slots of the deepest page at the latest.
            let id = id.child(slot).ok_or(MapError::Unfinished)?;
            self.work.push(Work {
                id,
                page,
                changes: group,
                parent: Some((above, slot)),
            });
        }
        Ok(())
    }

    fn add(&mut self, page: Page) -> usize {
        self.pages.push(Loaded::new(page));
        self.pages.len() - 1
    }

    /// Hashes and encodes the pages, children before parents.
    fn hash_up(mut self) -> MapChange {
        let mut root = Hash::ZERO;
        let mut written = Vec::with_capacity(self.work.len());
        for work in self.work.iter().rev() {
            let Some(Loaded { page, .. }) = self.pages.get(work.page) else {
                continue;
            };
            let hash = page.hash();
            written.push((work.id, page.encode()));
            match work
                .parent
                .and_then(|(above, slot)| Some((self.pages.get_mut(above)?, slot)))
            {
                Some((above, slot)) => above.page.put(slot, Slot::Child(hash)),
                None => root = hash,
            }
        }
        written.reverse();
        MapChange {
            root,
            pages: written,
        }
    }
}

/// A new page below `above` with the one leaf that was in its slot.
fn page_below(above: PageId, leaf: MapLeaf) -> Page {
    let mut page = Page::EMPTY;
    page.put(nibble(&leaf.label, above.depth() + 1), Slot::Leaf(leaf));
    page
}
