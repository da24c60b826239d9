//! Several items in one transaction.

use super::{Item, ItemFault, SignedItem, Tag};
use crate::limits::{BUNDLE_ITEMS_MAX, ITEM_BYTES_MAX};

/// Length of a number, and of an id, in bytes.
const HEADER_BYTES: usize = 32;

/// Why bytes are no bundle, or none can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// The bytes end too early or too late, or a number does not fit.
    #[error("not a bundle")]
    Malformed,
    /// More than 1024 items.
    #[error("a bundle of more than 1024 items")]
    TooMany,
    /// Not an item, or not its owner's.
    #[error("item {index}: {fault}")]
    Item {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        fault: ItemFault,
    },
    /// An item has another id than the bundle says.
    #[error("item {0} has another id")]
    WrongId(usize),
}

/// Tags of the transaction that carries a bundle.
#[must_use]
pub fn bundle_tags() -> [Tag; 2] {
    [
        Tag::new("Bundle-Format", "binary"),
        Tag::new("Bundle-Version", "2.0.0"),
    ]
}

/// Writes a bundle.
///
/// # Errors
/// [`BundleFault::TooMany`].
pub fn write_bundle(items: &[SignedItem]) -> Result<Vec<u8>, BundleFault> {
    if items.len() > BUNDLE_ITEMS_MAX {
        return Err(BundleFault::TooMany);
    }
    let mut out = number(items.len()).to_vec();
    for item in items {
        out.extend_from_slice(&number(item.bytes.len()));
        out.extend_from_slice(&item.id.0);
    }
    items
        .iter()
        .for_each(|item| out.extend_from_slice(&item.bytes));
    Ok(out)
}

/// Reads a bundle that takes up all of the bytes, and verifies each item.
///
/// # Errors
/// [`BundleFault`].
pub fn read_bundle(bytes: &[u8]) -> Result<Vec<Item<'_>>, BundleFault> {
    let (count, rest) = read_number(bytes)?;
    if count > BUNDLE_ITEMS_MAX {
        return Err(BundleFault::TooMany);
    }
    let headers = count.saturating_mul(2 * HEADER_BYTES);
    let (headers, mut rest) = rest
        .split_at_checked(headers)
        .ok_or(BundleFault::Malformed)?;
    let mut items = Vec::with_capacity(count);
    for (index, header) in headers.chunks_exact(2 * HEADER_BYTES).enumerate() {
        let (length, id) = read_number(header)?;
        if length > ITEM_BYTES_MAX {
            return Err(BundleFault::Item {
                index,
                fault: ItemFault::TooLong,
            });
        }
        let (own, after) = rest
            .split_at_checked(length)
            .ok_or(BundleFault::Malformed)?;
        rest = after;
        let item = Item::read(own).map_err(|fault| BundleFault::Item { index, fault })?;
        if item.id.0 != id {
            return Err(BundleFault::WrongId(index));
        }
        items.push(item);
    }
    if rest.is_empty() {
        Ok(items)
    } else {
        Err(BundleFault::Malformed)
    }
}

/// A number of 256 bits, little-endian.
fn number(number: usize) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    for (to, from) in bytes.iter_mut().zip((number as u64).to_le_bytes()) {
        *to = from;
    }
    bytes
}

fn read_number(bytes: &[u8]) -> Result<(usize, &[u8]), BundleFault> {
    let (number, rest) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or(BundleFault::Malformed)?;
    let (low, high) = number.split_first_chunk().ok_or(BundleFault::Malformed)?;
    let number = usize::try_from(u64::from_le_bytes(*low)).map_err(|_| BundleFault::Malformed)?;
    let is_small = high.iter().all(|byte| *byte == 0);
    is_small
        .then_some((number, rest))
        .ok_or(BundleFault::Malformed)
}
