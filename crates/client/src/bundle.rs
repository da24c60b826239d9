//! The proof that comes with a look-up, checked offline.
//!
//! A bundle leads from a signed checkpoint to what a name points to: the checkpoint's root contains
//! the log's last entry, that entry holds the root of the map, the map holds the name's label or
//! does not, the label's leaf holds a commitment, and the commitment is opened to the newest link.

mod json;
mod proof_file;

use merkle::Hash;
use merkle::entry::{EntryKind, LogEntry, commit};
use merkle::map::MapProof;
use merkle::note::{Checkpoint, Note, VerifierKey};
use merkle::proof::{ProofError, verify_inclusion};

use crate::checkpoint::{CheckpointError, verify_note};
use crate::link::{Evidence, Link, LinkFault, Statement, Visibility};
use crate::name;
use crate::tox_id::ToxId;

/// Longest bundle that is read, in bytes.
pub const BUNDLE_BYTES_MAX: usize = merkle::proof_file::PROOF_FILE_LEN_MAX;

/// A bundle, read but not yet believed.
#[derive(Clone, Debug)]
pub struct NameBundle {
    claims: Claims,
    opening: Option<Opening>,
    map_proof: MapProof,
    map_head: Vec<u8>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: Note,
}

/// What the JSON form says in so many words and the proof shows anyway.
#[derive(Clone, Debug, Default)]
struct Claims {
    name: Option<String>,
    label: Option<Hash>,
    /// The newest sequence number and commitment; `None` inside: absent.
    leaf: Option<Option<(u32, Hash)>>,
    key: Option<VerifierKey>,
}

#[derive(Clone, Debug)]
struct Opening {
    salt: [u8; 32],
    link: Vec<u8>,
}

/// The bytes are no bundle; says which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a bundle: {0}")]
pub struct BundleError(&'static str);

/// Why a bundle proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bundle is of another name.
    #[error("the bundle is of another name")]
    OtherName,
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
    #[error("the map does not say this of the name")]
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

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The log this was true in.
    pub checkpoint: Checkpoint,
    /// When that checkpoint's map was made: milliseconds since 1970, by the server's clock.
    pub time_ms: u64,
    /// What is proven of the name.
    pub status: Status,
}

/// What a log says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The name points to a Tox ID.
    Registered(Registered),
    /// The name was given up.
    Released {
        /// Position of the release in the name's chain.
        seqno: u32,
    },
    /// Nobody ever had the name.
    Absent,
    /// Somebody has or had the name, but the server does not say what the newest link is: erased,
    /// or kept back.
    Withheld {
        /// Position of that link in the name's chain.
        seqno: u32,
    },
}

/// A registered name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Where the name points.
    pub tox_id: ToxId,
    /// SHA-256 of the bio's UTF-8 text.
    pub bio_hash: Hash,
    /// Who may find it.
    pub visibility: Visibility,
    /// Whether the key of the Tox ID proved itself, as far as the newest link can show: the link says
    /// so, and its evidence is not another key's. If not, somebody else gave the Tox ID.
    pub is_proven: bool,
    /// Position of the newest link in the name's chain: the count of its changes.
    pub seqno: u32,
    /// Why the server believed the newest link.
    pub evidence: Evidence,
    /// When the server accepted it: milliseconds since 1970.
    pub changed_at_ms: u64,
}

impl NameBundle {
    /// Reads a bundle, as JSON or as a `.tlog-proof` file. Nothing is verified.
    ///
    /// # Errors
    /// [`BundleError`] for anything else, and beyond [`BUNDLE_BYTES_MAX`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError("too long"));
        }
        if bytes.starts_with(b"c2sp.org/") {
            proof_file::read(bytes)
        } else {
            json::read(bytes)
        }
    }

    /// The signed checkpoint, to be compared with what is remembered of the log. Not verified.
    #[must_use]
    pub fn checkpoint_note(&self) -> String {
        self.checkpoint.format()
    }

    /// The key the bundle says it can be checked with; only the JSON form does. Who takes the key
    /// from here trusts whoever sent the bundle.
    #[must_use]
    pub fn claimed_key(&self) -> Option<&VerifierKey> {
        self.claims.key.as_ref()
    }

    /// Checks the bundle for a name (in any spelling of it) with the log's key. What the JSON form
    /// says in words is compared with what is proven, its `record` excepted, which is for people.
    ///
    /// One signature, about 60 hashes.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn verify(&self, name: &str, key: &VerifierKey) -> Result<Verified, VerifyError> {
        let label = name::label(name);
        self.is_about(name, &label, key)?;
        let checkpoint = verify_note(&self.checkpoint, key)?;
        let head = self.map_head(&checkpoint)?;
        let leaf = self.map_proof.verify(&label, &head.commitment);
        let leaf = leaf.map_err(VerifyError::Map)?;
        if self.claims.leaf.is_some_and(|claimed| claimed != leaf) {
            return Err(VerifyError::Contradiction);
        }
        let status = match (leaf, &self.opening) {
            (None, None) => Status::Absent,
            (None, Some(_)) => return Err(VerifyError::Contradiction),
            (Some((seqno, _)), None) => Status::Withheld { seqno },
            (Some((seqno, commitment)), Some(opening)) => {
                opening.open(&label, seqno, &commitment)?
            }
        };
        Ok(Verified {
            checkpoint,
            time_ms: head.time_ms,
            status,
        })
    }

    fn is_about(&self, name: &str, label: &Hash, key: &VerifierKey) -> Result<(), VerifyError> {
        let claims = &self.claims;
        let folded = name::fold(name);
        let other_name = claims.name.as_ref().is_some_and(|name| *name != folded);
        if other_name || claims.label.is_some_and(|claimed| claimed != *label) {
            return Err(VerifyError::OtherName);
        }
        if claims.key.as_ref().is_some_and(|claimed| claimed != key) {
            return Err(VerifyError::OtherKey);
        }
        Ok(())
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
    fn open(&self, label: &Hash, seqno: u32, commitment: &Hash) -> Result<Status, VerifyError> {
        if commit(&self.salt, &self.link) != *commitment {
            return Err(VerifyError::Commitment);
        }
        let link = Link::decode(&self.link)?;
        let is_first = link.prev.is_none();
        if link.label != *label || link.seqno != seqno || is_first != (seqno == 1) {
            return Err(VerifyError::WrongLink);
        }
        match link.statement {
            Statement::SetRecord {
                tox_id,
                bio_hash,
                visibility,
                is_proven,
            } => Ok(Status::Registered(Registered {
                tox_id,
                bio_hash,
                visibility,
                is_proven: is_proven && link.evidence.may_prove(&tox_id),
                seqno,
                evidence: link.evidence,
                changed_at_ms: link.created_at_ms,
            })),
            Statement::ReleaseHandle => Ok(Status::Released { seqno }),
            // A name's newest link carries its whole state, which these are none of.
            Statement::AddKey(_) | Statement::MakeClaim(_) | Statement::RevokeClaim(_) => {
                Err(VerifyError::WrongLink)
            }
        }
    }
}
