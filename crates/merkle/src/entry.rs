//! The log entry: what one leaf of the log says, in 78 bytes, without personal data.
//!
//! | bytes | field | form |
//! |---|---|---|
//! | 0 | version | u8, 1 |
//! | 1 | kind | u8, see [`EntryKind`] |
//! | 2..34 | label | 32 bytes |
//! | 34..38 | seqno | u32 big-endian |
//! | 38..70 | commitment | 32 bytes |
//! | 70..78 | time | u64 big-endian, milliseconds since 1970 |

use core::fmt;

use sha2::{Digest, Sha256};

use crate::Hash;

/// Length of every entry in bytes.
pub const ENTRY_LEN: usize = 78;

const VERSION: u8 = 1;
const LABEL_DOMAIN: &[u8] = b"sealbook/label/v1";
const COMMITMENT_DOMAIN: &[u8] = b"sealbook/link/v1";

/// What an entry is about. The discriminant is the byte in the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// One link of a chain: its label, its sequence number from 1, the commitment to its bytes.
    Link = 1,
    /// The map's root after the entries before it: label zero, sequence number 0, and the root
    /// in the place of the commitment.
    MapHead = 2,
    /// The root of the Keybase tree over the same heads, in the place of the commitment.
    KeybaseRoot = 3,
}

/// One entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// What the other fields mean.
    pub kind: EntryKind,
    /// Whose chain; [`Hash::ZERO`] in a map head.
    pub label: Hash,
    /// Position in the label's chain, from 1; 0 in a map head.
    pub seqno: u32,
    /// Commitment to a link ([`commit`]), or a root.
    pub commitment: Hash,
    /// When the server accepted it: milliseconds since 1970.
    pub time_ms: u64,
}

/// Why bytes are not a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// Not exactly [`ENTRY_LEN`] bytes.
    Length,
    /// A version this crate does not know.
    Version(u8),
    /// A kind this crate does not know.
    Kind(u8),
    /// A map head with a label or a sequence number, or a link without a sequence number.
    Fields,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "a log entry is {ENTRY_LEN} bytes"),
            Self::Version(version) => write!(f, "unknown entry version {version}"),
            Self::Kind(kind) => write!(f, "unknown entry kind {kind}"),
            Self::Fields => f.write_str("label or sequence number does not fit the entry's kind"),
        }
    }
}

impl core::error::Error for EntryError {}

impl EntryKind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Link),
            2 => Some(Self::MapHead),
            3 => Some(Self::KeybaseRoot),
            _ => None,
        }
    }
}

impl LogEntry {
    /// The entry that ends a batch: the map's root after it.
    pub const fn map_head(root: Hash, time_ms: u64) -> Self {
        let kind = EntryKind::MapHead;
        Self {
            kind,
            label: Hash::ZERO,
            seqno: 0,
            commitment: root,
            time_ms,
        }
    }

    /// The bytes of the leaf; its leaf hash is [`crate::leaf_hash`] of them.
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0; ENTRY_LEN];
        let fields: [&[u8]; 5] = [
            &[VERSION, self.kind as u8],
            &self.label.0,
            &self.seqno.to_be_bytes(),
            &self.commitment.0,
            &self.time_ms.to_be_bytes(),
        ];
        for (byte, value) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *value;
        }
        bytes
    }

    /// Reads an entry; what it accepts encodes to the same bytes again.
    ///
    /// # Errors
    /// Any deviation from the layout is an [`EntryError`]. A link must have a sequence number, a
    /// map head must have neither label nor sequence number.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let bytes: &[u8; ENTRY_LEN] = bytes.try_into().map_err(|_| EntryError::Length)?;
        let ([version, kind], rest) = take(bytes)?;
        if version != VERSION {
            return Err(EntryError::Version(version));
        }
        let kind = EntryKind::from_byte(kind).ok_or(EntryError::Kind(kind))?;
        let (label, rest) = take(rest)?;
        let (seqno, rest) = take(rest)?;
        let (commitment, rest) = take(rest)?;
        let (time_ms, _) = take(rest)?;
        let entry = Self {
            kind,
            label: Hash(label),
            seqno: u32::from_be_bytes(seqno),
            commitment: Hash(commitment),
            time_ms: u64::from_be_bytes(time_ms),
        };
        let fits = match kind {
            EntryKind::Link => entry.seqno > 0,
            EntryKind::MapHead => entry.label == Hash::ZERO && entry.seqno == 0,
            EntryKind::KeybaseRoot => true,
        };
        if fits {
            Ok(entry)
        } else {
            Err(EntryError::Fields)
        }
    }
}

/// The label of a public handle: `SHA-256("sealbook/label/v1" ‖ 0x00 ‖ kind ‖ bytes)`.
///
/// Anybody who guesses the handle can compute it, so it hides nothing that can be guessed. The
/// kind byte keeps a name and a uid of the same bytes apart.
pub fn public_label(kind: u8, bytes: &[u8]) -> Hash {
    let mut state = domain(LABEL_DOMAIN);
    state.update([kind]);
    state.update(bytes);
    Hash(state.finalize().into())
}

/// The commitment to a link: `SHA-256("sealbook/link/v1" ‖ 0x00 ‖ salt ‖ link)`.
///
/// The salt is 32 secret random bytes: without it the link cannot be guessed from the log, and
/// once salt and link are erased the entry says nothing any more.
pub fn commit(salt: &[u8; 32], link: &[u8]) -> Hash {
    let mut state = domain(COMMITMENT_DOMAIN);
    state.update(salt);
    state.update(link);
    Hash(state.finalize().into())
}

fn domain(name: &[u8]) -> Sha256 {
    let mut state = Sha256::new();
    state.update(name);
    state.update([0]);
    state
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), EntryError> {
    let (field, rest) = bytes.split_first_chunk().ok_or(EntryError::Length)?;
    Ok((*field, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn link() -> LogEntry {
        LogEntry {
            kind: EntryKind::Link,
            label: Hash([0xaa; 32]),
            seqno: 0x0102_0304,
            commitment: Hash([0xbb; 32]),
            time_ms: 0x0102_0304_0506_0708,
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let mut expected: Vec<u8> = [1, 1].into();
        expected.extend([0xaa; 32]);
        expected.extend([1, 2, 3, 4]);
        expected.extend([0xbb; 32]);
        expected.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(link().encode()[..], expected);
        assert_eq!(LogEntry::decode(&expected), Ok(link()));
    }

    #[test]
    fn deviations_are_refused() {
        let bytes = link().encode();
        assert_eq!(LogEntry::decode(&bytes[..77]), Err(EntryError::Length));
        assert_eq!(
            LogEntry::decode(&[&bytes[..], &[0]].concat()),
            Err(EntryError::Length)
        );
        for (at, byte, error) in [(0, 2, EntryError::Version(2)), (1, 4, EntryError::Kind(4))] {
            let mut wrong = bytes;
            wrong[at] = byte;
            assert_eq!(LogEntry::decode(&wrong), Err(error));
        }
        let no_seqno = LogEntry { seqno: 0, ..link() };
        assert_eq!(
            LogEntry::decode(&no_seqno.encode()),
            Err(EntryError::Fields)
        );
    }

    #[test]
    fn a_map_head_has_only_a_root() {
        let head = LogEntry::map_head(Hash([7; 32]), 9);
        assert_eq!(LogEntry::decode(&head.encode()), Ok(head));
        for wrong in [
            LogEntry { seqno: 1, ..head },
            LogEntry {
                label: Hash([1; 32]),
                ..head
            },
        ] {
            assert_eq!(LogEntry::decode(&wrong.encode()), Err(EntryError::Fields));
        }
    }

    #[test]
    fn labels_and_commitments_hash_the_documented_bytes() {
        let label = crate::sha256(b"sealbook/label/v1\x00\x05alice");
        assert_eq!(public_label(5, b"alice"), label);
        let input = [b"sealbook/link/v1\x00", &[9; 32][..], b"link"].concat();
        assert_eq!(commit(&[9; 32], b"link"), crate::sha256(&input));
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(mut bytes: Vec<u8>, kind in 0_u8..5) {
            bytes.resize(ENTRY_LEN, 0);
            bytes[0] = VERSION;
            bytes[1] = kind;
            if let Ok(entry) = LogEntry::decode(&bytes) {
                prop_assert_eq!(&entry.encode()[..], &bytes[..]);
            }
        }
    }
}
