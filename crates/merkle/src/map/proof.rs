//! Proofs that the map holds a label, or does not.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1 | terminal: 0 empty slot, 1 present, 2 other leaf |
//! | 2..4 | depth in bits, u16 big-endian, at most 256 |
//! | then `ceil(depth / 8)` | bitmap, bit 0 the highest of the first byte: is sibling i not empty |
//! | then 32 each | the siblings that are not empty, from the root down |
//! | then | present: seqno u32 big-endian ‖ commitment 32; other leaf: label 32 ‖ seqno ‖ commitment |

use alloc::vec::Vec;

use super::{LEAF_LEN, MapLeaf, bit, map_node};
use crate::proof::ProofError;
use crate::{HASH_LEN, Hash};

const VERSION: u8 = 1;
const KIND_EMPTY: u8 = 0;
const KIND_PRESENT: u8 = 1;
const KIND_OTHER: u8 = 2;
const DEPTH_MAX: usize = 256;

/// A path from the root to where a label is, or would be. Why it cannot lie: see [`super`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    /// From the root down, one per level; [`Hash::ZERO`] for an empty subtree.
    siblings: Vec<Hash>,
    terminal: Terminal,
}

/// What stands at the end of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The label's own leaf, alone in its subtree.
    Present {
        /// Newest sequence number.
        seqno: u32,
        /// Commitment to that link.
        commitment: Hash,
    },
    /// No leaf in the subtree the label belongs to: it is absent.
    EmptySlot,
    /// Another leaf, alone in the subtree the label belongs to: it is absent.
    OtherLeaf(MapLeaf),
}

impl MapProof {
    pub(crate) const fn of(siblings: Vec<Hash>, terminal: Terminal) -> Self {
        Self { siblings, terminal }
    }

    /// What the proof says, before it is verified.
    pub const fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// How many bits of the label lead to the terminal: 0 to 256.
    pub fn depth(&self) -> usize {
        self.siblings.len()
    }

    /// The siblings from the root down, one per bit; [`Hash::ZERO`] for an empty subtree.
    pub fn siblings(&self) -> &[Hash] {
        &self.siblings
    }

    /// Checks the proof for a label against a map root.
    ///
    /// Answers the label's newest sequence number and commitment, or `None`: it is proven that the
    /// map does not hold the label. At most 257 hashes, about 20 in a map of a million leaves.
    ///
    /// # Errors
    /// [`ProofError::WrongLeaf`] when the other leaf is the label's own or does not share the bits
    /// of the path, [`ProofError::RootMismatch`] when the path leads elsewhere.
    pub fn verify(&self, label: &Hash, root: &Hash) -> Result<Option<(u32, Hash)>, ProofError> {
        let (mut hash, answer) = match self.terminal {
            Terminal::Present { seqno, commitment } => (
                MapLeaf {
                    label: *label,
                    seqno,
                    commitment,
                }
                .hash(),
                Some((seqno, commitment)),
            ),
            Terminal::EmptySlot => (Hash::ZERO, None),
            Terminal::OtherLeaf(leaf) => {
                if leaf.label == *label || shared_bits(&leaf.label, label) < self.depth() {
                    return Err(ProofError::WrongLeaf);
                }
                (leaf.hash(), None)
            }
        };
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            hash = if bit(label, depth) {
                map_node(sibling, &hash)
            } else {
                map_node(&hash, sibling)
            };
        }
        if hash == *root {
            Ok(answer)
        } else {
            Err(ProofError::RootMismatch)
        }
    }

    /// The proof's bytes: about 700 in a map of a million leaves.
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self.terminal {
            Terminal::EmptySlot => KIND_EMPTY,
            Terminal::Present { .. } => KIND_PRESENT,
            Terminal::OtherLeaf(_) => KIND_OTHER,
        };
        // Only decode and the reader build proofs, and neither goes beyond 256 levels.
        let depth = u16::try_from(self.siblings.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        let mut bytes = Vec::with_capacity(4 + (self.siblings.len() + 3) * HASH_LEN);
        bytes.extend_from_slice(&[VERSION, kind]);
        bytes.extend_from_slice(&depth);
        bytes.extend(self.siblings.chunks(8).map(presence));
        for sibling in self
            .siblings
            .iter()
            .filter(|sibling| **sibling != Hash::ZERO)
        {
            bytes.extend_from_slice(&sibling.0);
        }
        match self.terminal {
            Terminal::EmptySlot => (),
            Terminal::Present { seqno, commitment } => {
                bytes.extend_from_slice(&seqno.to_be_bytes());
                bytes.extend_from_slice(&commitment.0);
            }
            Terminal::OtherLeaf(leaf) => bytes.extend_from_slice(&leaf.to_bytes()),
        }
        bytes
    }

    /// Reads a proof; what is accepted encodes to the same bytes again. Nothing is verified.
    ///
    /// # Errors
    /// [`ProofError::Malformed`] for anything that is not the one encoding of a proof.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        Self::read(bytes).ok_or(ProofError::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let ([version, kind, high, low], rest) = bytes.split_first_chunk()?;
        let depth = usize::from(u16::from_be_bytes([*high, *low]));
        if *version != VERSION || depth > DEPTH_MAX {
            return None;
        }
        let (bitmap, mut rest) = rest.split_at_checked(depth.div_ceil(8))?;
        let mut siblings = Vec::with_capacity(depth);
        for level in 0..depth {
            let byte = bitmap.get(level / 8)?;
            let mut sibling = Hash::ZERO;
            if byte >> (7 - level % 8) & 1 == 1 {
                let (bytes, after) = rest.split_first_chunk()?;
                sibling = Hash(*bytes);
                rest = after;
            }
            siblings.push(sibling);
        }
        // Recomputing the bitmap refuses spare bits and siblings spelt out as zero.
        if !siblings.chunks(8).map(presence).eq(bitmap.iter().copied()) {
            return None;
        }
        Some(Self {
            siblings,
            terminal: read_terminal(*kind, rest)?,
        })
    }
}

fn read_terminal(kind: u8, bytes: &[u8]) -> Option<Terminal> {
    match kind {
        KIND_EMPTY => bytes.is_empty().then_some(Terminal::EmptySlot),
        KIND_PRESENT => {
            let (seqno, commitment) = bytes.split_first_chunk()?;
            let seqno = u32::from_be_bytes(*seqno);
            Some(Terminal::Present {
                seqno,
                commitment: Hash::from_slice(commitment)?,
            })
        }
        KIND_OTHER => {
            let bytes: &[u8; LEAF_LEN] = bytes.try_into().ok()?;
            Some(Terminal::OtherLeaf(MapLeaf::from_bytes(bytes)?))
        }
        _ => None,
    }
}

/// One byte of the bitmap for up to eight siblings.
fn presence(siblings: &[Hash]) -> u8 {
    (0..).zip(siblings).fold(0, |byte, (at, sibling)| {
        byte | u8::from(*sibling != Hash::ZERO) << (7_u32.saturating_sub(at))
    })
}

/// How many leading bits two labels share: 0 to 256.
fn shared_bits(left: &Hash, right: &Hash) -> usize {
    let bytes = left.0.iter().zip(right.0).map(|(left, right)| left ^ right);
    let mut shared = 0;
    for different in bytes {
        shared += different.leading_zeros() as usize;
        if different != 0 {
            break;
        }
    }
    shared
}
