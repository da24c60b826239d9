//! Sigchains: what was said about a subject, link by link.

pub mod append;
pub(crate) mod track;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::ERASE_LINKS_PER_BATCH;
use crate::outbox::Outcome;
use crate::ports::store::{Key, KeyRange};
use crate::table::TableKey;
use crate::tables::LINKS;
use crate::tx::{Tx, in_tx};
use crate::types::{Label, Seqno};

/// The chain service.
pub struct Chains<'e>(pub(crate) &'e Engine);

impl Chains<'_> {
    /// Erases the openings (salt and bytes) of a subject's links up to and including `through`, at
    /// most 256 a call. The log entries stay, and every other proof still verifies.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn erase(&self, label: Label, through: Seqno) -> Result<Outcome, Internal> {
        in_tx!(self.0, "erase_links", |tx| erase_in(tx, label, through)
            .await)
    }
}

/// Removes up to [`ERASE_LINKS_PER_BATCH`] link rows. One scan, one write a link.
async fn erase_in(tx: &mut Tx<'_>, label: Label, through: Seqno) -> Result<Outcome, Internal> {
    let all = LINKS.range(&label.0.0);
    let mut end = vec![LINKS.tag()];
    label.write(&mut end);
    through.get().write(&mut end);
    // Behind the last key to erase, as `end` is exclusive.
    end.push(0);
    let range = KeyRange {
        start: all.start,
        end: Some(Key::from(end)),
    };
    let rows = tx.scan(&LINKS, range, ERASE_LINKS_PER_BATCH).await?;
    let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= ERASE_LINKS_PER_BATCH);
    for (key, _, _) in rows {
        tx.delete(&LINKS, &key);
    }
    Ok(if full { Outcome::More } else { Outcome::Done })
}
