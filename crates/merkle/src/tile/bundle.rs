//! Entry bundles: the leaves under one tile, each behind its length.

use alloc::vec::Vec;
use core::fmt;

use super::TILE_WIDTH;

/// The longest entry a bundle can hold, in bytes: its length is a u16.
pub const ENTRY_LEN_MAX: usize = u16::MAX as usize;

/// Why entries are not a bundle, or bytes are not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// An entry is longer than [`ENTRY_LEN_MAX`].
    EntryTooLong,
    /// More entries than a full tile has hashes.
    TooMany,
    /// The bytes end inside a length or an entry.
    Truncated,
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EntryTooLong => "an entry is longer than 65535 bytes",
            Self::TooMany => "a bundle holds at most 256 entries",
            Self::Truncated => "the bundle ends inside an entry",
        })
    }
}

impl core::error::Error for BundleError {}

/// Joins entries into a bundle: `(u16 big-endian length ‖ entry)*`.
///
/// # Errors
/// [`BundleError::EntryTooLong`], or [`BundleError::TooMany`] above 256 entries.
pub fn encode_bundle<E: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = E>,
) -> Result<Vec<u8>, BundleError> {
    let mut bundle = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        if at >= usize::from(TILE_WIDTH) {
            return Err(BundleError::TooMany);
        }
        let entry = entry.as_ref();
        let len = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong)?;
        bundle.extend_from_slice(&len.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Splits a bundle into its entries, which borrow from it.
///
/// # Errors
/// [`BundleError::Truncated`], or [`BundleError::TooMany`] above 256 entries.
pub fn decode_bundle(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() >= usize::from(TILE_WIDTH) {
            return Err(BundleError::TooMany);
        }
        let (len, after) = rest.split_first_chunk().ok_or(BundleError::Truncated)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (entry, after) = after.split_at_checked(len).ok_or(BundleError::Truncated)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_big_endian() {
        let bundle = encode_bundle([&b"ab"[..], b"", &[7; 258]]).unwrap();
        assert_eq!(&bundle[..6], b"\x00\x02ab\x00\x00");
        assert_eq!(&bundle[6..9], &[1, 2, 7]);
        assert_eq!(
            decode_bundle(&bundle).unwrap(),
            vec![&b"ab"[..], b"", &[7; 258]]
        );
    }

    #[test]
    fn bounds_hold() {
        assert!(encode_bundle([vec![0; ENTRY_LEN_MAX]]).is_ok());
        assert_eq!(
            encode_bundle([vec![0; ENTRY_LEN_MAX + 1]]),
            Err(BundleError::EntryTooLong)
        );
        assert!(encode_bundle(vec![b""; 256]).is_ok());
        assert_eq!(encode_bundle(vec![b""; 257]), Err(BundleError::TooMany));
        assert_eq!(decode_bundle(&[0; 2 * 257]), Err(BundleError::TooMany));
        assert_eq!(decode_bundle(&[0]), Err(BundleError::Truncated));
        assert_eq!(decode_bundle(&[0, 2, 1]), Err(BundleError::Truncated));
        assert_eq!(decode_bundle(&[]), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn bundles_round_trip(entries: Vec<Vec<u8>>) {
            let bundle = encode_bundle(&entries).unwrap();
            prop_assert_eq!(decode_bundle(&bundle).unwrap(), entries);
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes: Vec<u8>) {
            if let Ok(entries) = decode_bundle(&bytes) {
                prop_assert_eq!(encode_bundle(entries).unwrap(), bytes);
            }
        }
    }
}
