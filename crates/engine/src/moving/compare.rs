//! The third step: whether both stores hold the same.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use crypto::token::sha256;
use merkle::Hash;

use crate::log::Head;
use crate::pages::{Pages, bytes_of};
use crate::ports::store::{Key, Store, StoreError};

use super::begin::head;
use super::copy::moving;
use super::{Conversion, MoveError, Phase, Progress};

/// What the rows of a store come to, those that stay behind apart.
///
/// The digest is a chain over the rows in key order, from 32 zero bytes; lengths are big-endian:
///
/// ```text
/// digest = SHA-256(digest || len(key) u32 || key || len(value) u32 || value)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Number of rows.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Digest of all of them.
    pub digest: Hash,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rows,
            bytes,
            digest,
        } = self;
        write!(f, "{rows} rows, {bytes} bytes, {}", digest.to_hex())
    }
}

/// Two stores that hold the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What each holds.
    pub sum: Sum,
    /// The newest head of the log in each.
    pub head: Head,
}

impl Conversion {
    /// Reads both stores as a whole and compares them; only after [`Conversion::copy`].
    ///
    /// # Errors
    /// `Differs` when they do not hold the same, `Changed` when the source's log is another than the
    /// one copied, or our own failure. Both stores stay marked.
    pub async fn compare(
        &self,
        mut show: impl FnMut(Progress) + Send,
    ) -> Result<Compared, MoveError> {
        let total = Some(self.arriving.1.rows);
        let (source_sum, target_sum) = tokio::try_join!(
            sum(self.from.clone(), |_| {}),
            sum(self.to.clone(), |sum| {
                show(Progress {
                    phase: Phase::Compare,
                    rows: sum.rows,
                    bytes: sum.bytes,
                    total,
                });
            })
        )?;
        if source_sum != target_sum || Some(target_sum.rows) != total {
            return Err(MoveError::Differs {
                source_sum,
                target_sum,
            });
        }
        let source = head(self.from.as_ref()).await?;
        let target = head(self.to.as_ref()).await?;
        let is_same = |head: &Head| head.note == self.arriving.1.note;
        match target.filter(|_| source.is_some_and(|head| is_same(&head))) {
            Some(head) if is_same(&head) => Ok(Compared {
                sum: target_sum,
                head,
            }),
            Some(_) | None => Err(MoveError::Changed),
        }
    }
}

/// Sums up a store; `show` is told after each page.
async fn sum(store: Arc<dyn Store>, mut show: impl FnMut(&Sum)) -> Result<Sum, StoreError> {
    let mut sum = Sum {
        rows: 0,
        bytes: 0,
        digest: Hash([0; 32]),
    };
    let mut pages = Pages::new(store, Some(Key::new()));
    let mut buffer = Vec::new();
    while let Some(page) = pages.turn().await? {
        for (key, value) in moving(page) {
            sum.rows = sum.rows.saturating_add(1);
            sum.bytes = sum.bytes.saturating_add(bytes_of(&key, &value));
            sum.digest = digest(&mut buffer, &sum.digest, &key, &value);
        }
        show(&sum);
    }
    Ok(sum)
}

/// The digest with one more row.
fn digest(buffer: &mut Vec<u8>, before: &Hash, key: &Key, value: &Bytes) -> Hash {
    buffer.clear();
    buffer.extend_from_slice(&before.0);
    for part in [key, value] {
        // The store's limits keep both far below 4 GiB.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(part);
    }
    Hash(sha256(buffer))
}
