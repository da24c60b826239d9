//! Whole names, each with the claims that have it.
//!
//! A *side* is one of the two names of a slot: twice the slot's number, and one more for the account's
//! other name. The table has the newest side of each name, and each side the one before it of the same
//! name, so that a name of many claims costs no more to add to than one of few. The names themselves
//! stand in the roll's text.

use std::hash::{BuildHasher, RandomState};
use std::iter::successors;

use hashbrown::HashTable;

/// No side.
const NONE: u32 = u32::MAX;

/// The sides of all names. Fewer than 2^31 slots.
#[derive(Default)]
pub(super) struct Names {
    newest: HashTable<u32>,
    /// By side: the one before it.
    before: Vec<u32>,
    /// Seeded, as names are chosen by anybody.
    hasher: RandomState,
}

impl Names {
    /// Adds the names of a slot, the newest one; an empty name is none, and one that is given twice
    /// is added once.
    pub(super) fn add<'t>(&mut self, slot: u32, text_of: impl Fn(u32) -> &'t [u8]) {
        let [first, second] = sides(slot);
        self.before.resize((first as usize).saturating_add(2), NONE);
        let is_twice = text_of(first) == text_of(second);
        for side in [Some(first), Some(second).filter(|_| !is_twice)] {
            let Some(side) = side.filter(|side| !text_of(*side).is_empty()) else {
                continue;
            };
            let hash = self.hasher.hash_one(text_of(side));
            let is_same = |other: &u32| text_of(*other) == text_of(side);
            let rehash = |other: &u32| self.hasher.hash_one(text_of(*other));
            let mut entry = self.newest.entry(hash, is_same, rehash).or_insert(NONE);
            let before = std::mem::replace(entry.get_mut(), side);
            if let Some(place) = self.before.get_mut(side as usize) {
                *place = before;
            }
        }
    }

    /// The slots that have a name, the newest first.
    pub(super) fn slots<'t>(
        &self,
        name: &[u8],
        text_of: impl Fn(u32) -> &'t [u8],
    ) -> impl Iterator<Item = u32> {
        let hash = self.hasher.hash_one(name);
        let newest = self.newest.find(hash, |side| text_of(*side) == name);
        let before = |side: &u32| self.before.get(*side as usize).copied();
        let sides = successors(newest.copied(), move |side| {
            before(side).filter(|side| *side != NONE)
        });
        sides.map(|side| side / 2)
    }
}

/// Whose name a side is, and whether it is the account's other name.
pub(super) fn of_side(side: u32) -> (u32, bool) {
    (side / 2, side % 2 == 1)
}

fn sides(slot: u32) -> [u32; 2] {
    let first = slot.saturating_mul(2);
    [first, first.saturating_add(1)]
}
