//! From changed leaves to changed pages.

use alloc::vec::Vec;

use super::batch::{Loaded, same_slot};
use super::{MapChange, MapError, MapLeaf, Page, PageId, Slot, nibble};
use crate::Hash;

/// Puts `changes` (sorted by label, not empty) into the map of the loaded pages.
pub(super) fn rewrite(
    root: &Loaded,
    loaded: &[Loaded],
    changes: &[MapLeaf],
) -> Result<MapChange, MapError> {
    let (id, page, parent) = (PageId::ROOT, root.page, None);
    let root = Work {
        id,
        page,
        loaded: Some(root),
        changes,
        parent,
    };
    let mut rewrite = Rewrite {
        loaded,
        work: [root].into(),
    };
    let mut next = 0;
    while next < rewrite.work.len() {
        rewrite.apply(next)?;
        next += 1;
    }
    Ok(rewrite.hash_up())
}

struct Rewrite<'a> {
    loaded: &'a [Loaded],
    /// The pages that change, sorted by id, so parents stand before their children.
    work: Vec<Work<'a>>,
}

struct Work<'a> {
    id: PageId,
    page: Page,
    /// The page as it was; none if this one is new.
    loaded: Option<&'a Loaded>,
    changes: &'a [MapLeaf],
    /// The work above and the slot this page hangs from; none for the root.
    parent: Option<(usize, u8)>,
}

impl<'a> Rewrite<'a> {
    /// Puts a page's changes into its slots; those that need a page below become more work.
    fn apply(&mut self, at: usize) -> Result<(), MapError> {
        let Some(work) = self.work.get(at) else {
            return Ok(());
        };
        let (id, loaded, changes) = (work.id, work.loaded, work.changes);
        for group in changes.chunk_by(|left, right| same_slot(&left.label, &right.label, id)) {
            let (Some(first), Some(work)) = (group.first(), self.work.get_mut(at)) else {
                continue;
            };
            let slot = nibble(&first.label, id.depth());
            let (page, loaded) = match work.page.slot(slot) {
                Slot::Empty if group.len() > 1 => (Page::EMPTY, None),
                Slot::Leaf(old) if group.len() > 1 || old.label != first.label => {
                    (page_below(id, old), None)
                }
                Slot::Child(_) => {
                    let old = self.below(loaded, slot).ok_or(MapError::Unfinished)?;
                    (old.page, Some(old))
                }
                Slot::Empty | Slot::Leaf(_) => {
                    work.page.put(slot, Slot::Leaf(*first));
                    continue;
                }
            };
            // Two different labels differ in the slots of the deepest page at the latest.
            let id = id.child(slot).ok_or(MapError::Unfinished)?;
            self.work.push(Work {
                id,
                page,
                loaded,
                changes: group,
                parent: Some((at, slot)),
            });
        }
        Ok(())
    }

    fn below(&self, loaded: Option<&'a Loaded>, slot: u8) -> Option<&'a Loaded> {
        let index = loaded?.below.get(usize::from(slot))?;
        self.loaded.get(usize::try_from(*index).ok()?)
    }

    /// Hashes and encodes the pages, children before parents.
    fn hash_up(mut self) -> MapChange {
        let mut root = Hash::ZERO;
        let mut pages = Vec::with_capacity(self.work.len());
        while let Some(work) = self.work.pop() {
            let hash = work.page.hash();
            pages.push((work.id, work.page.encode()));
            match work
                .parent
                .and_then(|(at, slot)| Some((self.work.get_mut(at)?, slot)))
            {
                Some((above, slot)) => above.page.put(slot, Slot::Child(hash)),
                None => root = hash,
            }
        }
        pages.reverse();
        MapChange { root, pages }
    }
}

/// A new page below `above` with the one leaf that was in its slot.
fn page_below(above: PageId, leaf: MapLeaf) -> Page {
    let mut page = Page::EMPTY;
    page.put(nibble(&leaf.label, above.depth() + 1), Slot::Leaf(leaf));
    page
}
