//! Slots in an order, of which only a part is wanted.

use std::cmp::Ordering;

use crate::claims::{Order, Sort};

use super::roll::Roll;
use super::slot::Slot;

/// Some slots with what they are sorted by, so that most comparisons need nothing else.
pub(super) struct Ranks<'r> {
    roll: &'r Roll,
    ranks: Vec<Rank>,
    sort: Sort,
    order: Order,
}

/// A time, or the first eight bytes of a name; then when the claim was made.
#[derive(Clone, Copy)]
struct Rank {
    first: u64,
    created_at_ms: u64,
    slot: u32,
}

impl<'r> Ranks<'r> {
    /// All of them, in no order yet.
    pub(super) fn new(roll: &'r Roll, slots: &[u32], sort: Sort, order: Order) -> Self {
        let rank = |at: &u32| {
            let slot = roll.slot(*at)?;
            Some(Rank {
                first: first(roll, slot, sort),
                // An avatar is sorted as such, by whichever of its claims.
                created_at_ms: if sort == Sort::ActivatedAt {
                    0
                } else {
                    slot.times.created_at_ms
                },
                slot: *at,
            })
        };
        Self {
            roll,
            ranks: slots.iter().filter_map(rank).collect(),
            sort,
            order,
        }
    }

    /// The slots from the `skip`-th on in their order, at most `limit`. Time in proportion to all of
    /// them, and more for those on the page.
    pub(super) fn page(mut self, skip: usize, limit: usize) -> impl Iterator<Item = u32> {
        let end = skip.saturating_add(limit).min(self.ranks.len());
        let start = skip.min(end);
        let mut ranks = std::mem::take(&mut self.ranks);
        // What is behind the page goes, then what is before it.
        if end < ranks.len() {
            ranks.select_nth_unstable_by(end, |a, b| self.compare(a, b));
            ranks.truncate(end);
        }
        if start > 0 && start < ranks.len() {
            ranks.select_nth_unstable_by(start, |a, b| self.compare(a, b));
        }
        ranks.drain(..start);
        ranks.sort_unstable_by(|a, b| self.compare(a, b));
        ranks.into_iter().map(|rank| rank.slot)
    }

    fn compare(&self, a: &Rank, b: &Rank) -> Ordering {
        let ascending = a
            .first
            .cmp(&b.first)
            .then_with(|| self.names(a).cmp(self.names(b)))
            .then_with(|| a.created_at_ms.cmp(&b.created_at_ms))
            .then_with(|| self.last(a).cmp(&self.last(b)));
        match self.order {
            Order::Asc => ascending,
            Order::Desc => ascending.reverse(),
        }
    }

    /// The whole of a name that only begins in [`Rank::first`].
    fn names(&self, rank: &Rank) -> &[u8] {
        let slot = self.roll.slot(rank.slot);
        slot.map(|slot| name(self.roll, slot, self.sort))
            .unwrap_or_default()
    }

    /// What tells claims apart that were made at the same moment.
    fn last(&self, rank: &Rank) -> impl Ord {
        let slot = self.roll.slot(rank.slot);
        slot.map(|slot| (self.roll.label(slot), slot.times.first_seqno, rank.slot))
    }
}

/// What a claim is sorted by first.
fn first(roll: &Roll, slot: &Slot, sort: Sort) -> u64 {
    match sort {
        Sort::Default | Sort::CreatedAt => slot.times.created_at_ms,
        Sort::ActivatedAt => rising(slot.times.activated_at),
        Sort::LastCheckedAt => slot.times.checked_at_ms,
        Sort::ProofChainId => slot.times.linked_at_ms,
        Sort::Platform | Sort::Identity | Sort::AltId => {
            let mut bytes = [0; 8];
            let name = name(roll, slot, sort).iter();
            bytes
                .iter_mut()
                .zip(name)
                .for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(bytes)
        }
    }
}

fn name<'r>(roll: &'r Roll, slot: &Slot, sort: Sort) -> &'r [u8] {
    match sort {
        Sort::Platform => roll.service(slot),
        Sort::Identity => roll.identity(slot),
        Sort::AltId => roll.alt_id(slot),
        Sort::Default
        | Sort::ActivatedAt
        | Sort::CreatedAt
        | Sort::LastCheckedAt
        | Sort::ProofChainId => &[],
    }
}

/// The same order, without a sign.
fn rising(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}
