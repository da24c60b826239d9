//! The proofs that come with look-ups, checked offline.
//!
//! A bundle leads from a signed checkpoint to the newest link of a subject: the checkpoint's root
//! contains the log's last entry, that entry holds the root of the map, the map holds the subject's
//! label or does not, the label's leaf holds a commitment, and the commitment is opened to the link.

mod avatars;
mod json;
mod names;
mod proof_file;

use merkle::Hash;
use merkle::entry::{EntryKind, LogEntry, commit};
use merkle::map::MapProof;
use merkle::note::{Checkpoint, Note, VerifierKey};
use merkle::proof::{ProofError, verify_inclusion};

use crate::checkpoint::{CheckpointError, verify_note};
use crate::link::{Link, LinkFault};

pub use avatars::{AvatarBundle, ChainHead, NewestLink};
pub use names::{NameBundle, Registered, Status, Verified};

/// Longest bundle that is read, in bytes.
pub const BUNDLE_BYTES_MAX: usize = merkle::proof_file::PROOF_FILE_LEN_MAX;

/// A bundle, whosever it is, read but not yet believed.
#[derive(Clone, Debug)]
struct Bundle {
    said: Said,
    opening: Option<Opening>,
    map_proof: MapProof,
    map_head: Vec<u8>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: Note,
}

/// What the JSON form says in so many words and the proof shows anyway.
#[derive(Clone, Debug, Default)]
struct Said {
    /// The name or the avatar.
    subject: Option<String>,
    label: Option<Hash>,
    /// The newest sequence number and commitment; `None` inside: absent.
    leaf: Option<Option<(u32, Hash)>>,
    key: Option<VerifierKey>,
}

/// Whose bundle is to be read.
#[derive(Clone, Copy)]
enum Kind {
    Name,
    Avatar,
}

#[derive(Clone, Debug)]
struct Opening {
    salt: [u8; 32],
    link: Vec<u8>,
}

/// What a bundle proves of a label.
struct Proven {
    checkpoint: Checkpoint,
    /// Of the map head.
    time_ms: u64,
    /// `None`: the map does not hold the label.
    leaf: Option<Leaf>,
}

/// The place of a label in the map.
struct Leaf {
    seqno: u32,
    commitment: Hash,
    /// What it commits to; `None` where the bundle does not say.
    link: Option<Link>,
}

/// The bytes are no bundle; says which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a bundle: {0}")]
pub struct BundleError(&'static str);

/// Why a bundle proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bundle is of another name, or of another avatar.
    #[error("the bundle is of somebody else")]
    OtherSubject,
    /// The bundle names another key than the one it was to be checked with.
    #[error("the bundle is of a log with another key")]
    OtherKey,
    /// The checkpoint is not the log's.
    #[error("checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// The entry that should bind the map is none, or is not the checkpoint's last.
    #[error("the map head is not the last entry of the checkpoint")]
    MapHead,
    /// The map head does not stand in the log.
    #[error("the log does not contain the map head")]
    Inclusion(#[source] ProofError),
    /// The path does not lead from the label to the map's root.
    #[error("the map does not say this")]
    Map(#[source] ProofError),
    /// What the bundle says in words is not what it proves.
    #[error("the bundle says one thing and proves another")]
    Contradiction,
    /// Salt and link do not open the commitment.
    #[error("the link is not the one the log committed to")]
    Commitment,
    /// The link cannot be read.
    #[error(transparent)]
    Link(#[from] LinkFault),
    /// The link is of another chain, or of another place in it.
    #[error("the link does not belong where it stands")]
    WrongLink,
}

impl Bundle {
    fn parse(bytes: &[u8], kind: Kind) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError("too long"));
        }
        if bytes.starts_with(b"c2sp.org/") {
            proof_file::read(bytes)
        } else {
            json::read(bytes, kind)
        }
    }

    /// One signature, about 60 hashes.
    fn verify(&self, label: &Hash, key: &VerifierKey) -> Result<Proven, VerifyError> {
        if self.said.label.is_some_and(|said| said != *label) {
            return Err(VerifyError::OtherSubject);
        }
        if self.said.key.as_ref().is_some_and(|said| said != key) {
            return Err(VerifyError::OtherKey);
        }
        let checkpoint = verify_note(&self.checkpoint, key)?;
        let head = self.map_head(&checkpoint)?;
        let leaf = self.map_proof.verify(label, &head.commitment);
        let leaf = leaf.map_err(VerifyError::Map)?;
        if self.said.leaf.is_some_and(|said| said != leaf) {
            return Err(VerifyError::Contradiction);
        }
        let opening = self.opening.as_ref();
        let leaf = match leaf {
            None if opening.is_some() => return Err(VerifyError::Contradiction),
            None => None,
            Some((seqno, commitment)) => {
                let link = opening.map(|opening| opening.open(label, seqno, &commitment));
                Some(Leaf {
                    seqno,
                    commitment,
                    link: link.transpose()?,
                })
            }
        };
        Ok(Proven {
            checkpoint,
            time_ms: head.time_ms,
            leaf,
        })
    }

    /// The log's last entry, which must be a map head.
    fn map_head(&self, checkpoint: &Checkpoint) -> Result<LogEntry, VerifyError> {
        let entry = LogEntry::decode(&self.map_head).map_err(|_| VerifyError::MapHead)?;
        let is_last = self.index.checked_add(1) == Some(checkpoint.size);
        if entry.kind != EntryKind::MapHead || !is_last {
            return Err(VerifyError::MapHead);
        }
        let leaf = merkle::leaf_hash(&self.map_head);
        let (size, root) = (checkpoint.size, &checkpoint.root);
        verify_inclusion(self.index, size, &leaf, &self.path, root)
            .map_err(VerifyError::Inclusion)?;
        Ok(entry)
    }
}

impl Opening {
    fn open(&self, label: &Hash, seqno: u32, commitment: &Hash) -> Result<Link, VerifyError> {
        if commit(&self.salt, &self.link) != *commitment {
            return Err(VerifyError::Commitment);
        }
        let link = Link::decode(&self.link)?;
        let is_first = link.prev.is_none();
        if link.label != *label || link.seqno != seqno || is_first != (seqno == 1) {
            return Err(VerifyError::WrongLink);
        }
        Ok(link)
    }
}
