//! Pages of a list: which rows are on one, and whether another follows.

use std::ops::Range;

use crate::limits::CLAIMS_PAGE_ROWS_MAX;

/// A page of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    /// Its number, from 1.
    pub(super) current: u64,
    /// Rows on a full page: 1 to 100.
    pub(super) per: u32,
}

impl Paging {
    /// The page that somebody asked for: 0 is the first too, and a page has a row at least.
    pub(super) fn of(page: u64, per: u32) -> Self {
        Self {
            current: page.max(1),
            per: per.clamp(1, CLAIMS_PAGE_ROWS_MAX),
        }
    }

    /// Rows before this page.
    pub(super) fn skip(self) -> u64 {
        let before = self.current.saturating_sub(1);
        before.saturating_mul(self.per.into())
    }

    /// The rows of this page, of `total` that are numbered from 0; empty behind the last one.
    pub(super) fn rows(self, total: u64) -> Range<u64> {
        let skip = self.skip().min(total);
        skip..skip.saturating_add(self.per.into()).min(total)
    }

    /// The page behind this one; 0 when `total` rows end on it or before.
    pub(super) fn next(self, total: u64) -> u64 {
        if self.rows(total).end < total {
            self.current.saturating_add(1)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_for_is_brought_within_bounds() {
        let of = |page, per| {
            let paging = Paging::of(page, per);
            (paging.current, paging.per, paging.skip())
        };
        assert_eq!(of(0, 0), (1, 1, 0));
        assert_eq!(of(1, 100), (1, 100, 0));
        assert_eq!(of(3, 101), (3, CLAIMS_PAGE_ROWS_MAX, 200));
        assert_eq!(of(u64::MAX, 2), (u64::MAX, 2, u64::MAX));
        assert_eq!(Paging::of(u64::MAX, 2).rows(7), 7..7);
        assert_eq!(Paging::of(u64::MAX, 2).next(7), 0);
    }

    proptest! {
        #[test]
        fn following_the_pages_shows_every_row_once(total in 0..500_u64, per in 0..120_u32) {
            let (mut page, mut shown) = (1, 0);
            while page != 0 {
                let paging = Paging::of(page, per);
                let rows = paging.rows(total);
                prop_assert_eq!((rows.start, paging.skip()), (shown, shown));
                prop_assert!(total == 0 || !rows.is_empty());
                shown = rows.end;
                page = paging.next(total);
            }
            prop_assert_eq!(shown, total);
            let behind = Paging::of(total + 2, per);
            prop_assert_eq!((behind.rows(total), behind.next(total)), (total..total, 0));
        }
    }
}
