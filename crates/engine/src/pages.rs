//! All rows of a store in key order, a page of some MiB at a time.

use std::sync::Arc;

use bytes::Bytes;

use crate::limits::{PAGE_BYTES, PAGE_ROWS_MAX, PAGE_ROWS_MIN};
use crate::ports::store::{Direction, Freshness, Key, KeyRange, Store, StoreError};

/// Some rows that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) rows: Vec<(Key, Bytes)>,
    /// Bytes of their keys and values.
    pub(crate) bytes: u64,
    /// Where the next page begins; `None` when this is the last one.
    pub(crate) next: Option<Key>,
}

/// Reads a store page by page. Each page is a scan of its own, so the store must be at rest for
/// the pages to belong together.
pub(crate) struct Pages {
    store: Arc<dyn Store>,
    next: Option<Key>,
    rows: u32,
}

impl Pages {
    /// Begins with the first key at or after `start`; empty for `None`, where a last page ended.
    pub(crate) fn new(store: Arc<dyn Store>, start: Option<Key>) -> Self {
        Self {
            store,
            next: start,
            rows: PAGE_ROWS_MIN,
        }
    }

    /// The next page; `None` after the last one. One scan.
    ///
    /// # Errors
    /// As [`Store::scan`]; the same page can be asked for again.
    pub(crate) async fn turn(&mut self) -> Result<Option<Page>, StoreError> {
        let Some(start) = self.next.clone() else {
            return Ok(None);
        };
        let range = KeyRange { start, end: None };
        let scanned = self
            .store
            .scan(range, Direction::Forward, self.rows, Freshness::Now)
            .await?;
        let is_last = scanned.len() < usize::try_from(self.rows).unwrap_or(usize::MAX);
        let rows = scanned.into_iter().map(|(key, _, value)| (key, value));
        let page = cut(rows, is_last);
        self.rows = rows_next(self.rows, &page);
        self.next.clone_from(&page.next);
        Ok(Some(page))
    }
}

/// As many of the rows as one page takes, but at least one.
fn cut(rows: impl Iterator<Item = (Key, Bytes)>, is_last: bool) -> Page {
    let mut page = Page::default();
    for (key, value) in rows {
        let bytes = bytes_of(&key, &value);
        if !page.rows.is_empty() && page.bytes.saturating_add(bytes) > PAGE_BYTES {
            page.next = Some(key);
            return page;
        }
        page.bytes = page.bytes.saturating_add(bytes);
        page.rows.push((key, value));
    }
    if let (false, Some((last, _))) = (is_last, page.rows.last()) {
        let mut after = last.to_vec();
        after.push(0);
        page.next = Some(after.into());
    }
    page
}

/// Rows to ask for next: what would have filled this page, but at most twice as many.
fn rows_next(asked: u32, page: &Page) -> u32 {
    let rows = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
    let fit = rows
        .saturating_mul(PAGE_BYTES)
        .checked_div(page.bytes)
        .unwrap_or_default();
    let fit = u32::try_from(fit).unwrap_or(u32::MAX);
    fit.min(asked.saturating_mul(2))
        .clamp(PAGE_ROWS_MIN, PAGE_ROWS_MAX)
}

/// Bytes of a key and a value together.
pub(crate) fn bytes_of(key: &Key, value: &Bytes) -> u64 {
    u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize, length: usize) -> (Key, Bytes) {
        let key = format!("{number:06}").into_bytes();
        (key.into(), vec![7; length].into())
    }

    #[test]
    fn a_page_takes_what_fits_and_one_row_at_least() {
        let whole = usize::try_from(PAGE_BYTES).unwrap();
        let page = cut([row(1, whole * 2), row(2, 1)].into_iter(), true);
        assert_eq!((page.rows.len(), page.next), (1, Some(row(2, 0).0)));
        let half = [row(1, whole / 2), row(2, whole / 2), row(3, 0)];
        let page = cut(half.into_iter(), true);
        assert_eq!((page.rows.len(), page.next), (1, Some(row(2, 0).0)));
        let page = cut([row(1, 1)].into_iter(), true);
        assert_eq!((page.bytes, page.next), (7, None));
        let page = cut([row(1, 1)].into_iter(), false);
        assert_eq!(page.next.unwrap()[..], *b"000001\0");
        let page = cut([].into_iter(), true);
        assert!(page.rows.is_empty() && page.next.is_none());
    }

    #[test]
    fn the_rows_asked_for_follow_the_size_of_the_rows() {
        let small = Page {
            rows: vec![row(1, 1)],
            bytes: 7,
            next: None,
        };
        assert_eq!(rows_next(100, &small), 200);
        assert_eq!(rows_next(PAGE_ROWS_MAX, &small), PAGE_ROWS_MAX);
        let large = Page {
            bytes: PAGE_BYTES,
            ..small
        };
        assert_eq!(rows_next(PAGE_ROWS_MAX, &large), PAGE_ROWS_MIN);
        assert_eq!(rows_next(50, &Page::default()), PAGE_ROWS_MIN);
    }
}
