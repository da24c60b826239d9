//! The second step: the rows.

use bytes::Bytes;

use crate::pages::{Page, Pages, bytes_of};
use crate::ports::store::{Batch, Expect, Key, StoreError};
use crate::table::Row;
use crate::tables::{ARRIVING, ArrivingRow, table_of};

use super::{Conversion, MoveError, Phase, Progress};

/// Whether a row goes along. One of a table that this release does not know does: whoever wrote it
/// may need it.
pub(super) fn moves(key: &Key) -> bool {
    table_of(key).is_none_or(|table| table.moves)
}

/// The rows of a page that go along.
pub(super) fn moving(page: Page) -> impl Iterator<Item = (Key, Bytes)> {
    page.rows.into_iter().filter(|(key, _)| moves(key))
}

impl Conversion {
    /// Copies what is not copied yet. One scan of the source and one commit to the target for each
    /// page; the next page is read while one is written.
    ///
    /// # Errors
    /// `Raced` when another conversion writes to the target, or our own failure: then the pages
    /// before stay, and copying goes on from there when it is begun again.
    pub async fn copy(&mut self, mut show: impl FnMut(Progress) + Send) -> Result<(), MoveError> {
        let start = self.arriving.1.next.clone();
        let mut pages = Pages::new(self.from.clone(), start);
        let mut page = pages.turn().await?;
        while let Some(now) = page.take() {
            let next;
            (next, page) = tokio::try_join!(self.write(now), turn(&mut pages))?;
            self.arriving = next;
            let row = &self.arriving.1;
            show(Progress {
                phase: Phase::Copy,
                rows: row.rows,
                bytes: row.bytes,
                total: None,
            });
        }
        Ok(())
    }

    /// Writes a page and how far that is; answers the new progress row.
    async fn write(
        &self,
        page: Page,
    ) -> Result<(crate::ports::store::Version, ArrivingRow), MoveError> {
        let (version, before) = &self.arriving;
        let key = ARRIVING.key(&());
        let next = page.next.clone();
        let mut puts: Vec<(Key, Bytes)> = moving(page).collect();
        let bytes: u64 = puts.iter().map(|(key, value)| bytes_of(key, value)).sum();
        let rows = u64::try_from(puts.len()).unwrap_or(u64::MAX);
        let row = ArrivingRow {
            next,
            rows: before.rows.saturating_add(rows),
            bytes: before.bytes.saturating_add(bytes),
            ..before.clone()
        };
        puts.push((key.clone(), row.write()));
        let batch = Batch {
            checks: vec![(key, Expect::Is(*version))],
            puts,
            deletes: Vec::new(),
        };
        Ok((self.to.commit(batch).await?, row))
    }
}

async fn turn(pages: &mut Pages) -> Result<Option<Page>, MoveError> {
    let page: Result<_, StoreError> = pages.turn().await;
    Ok(page?)
}
