//! Bundles of names.

use merkle::Hash;
use merkle::note::{Checkpoint, VerifierKey};

use super::{Bundle, BundleError, Kind, Leaf, VerifyError};
use crate::link::{Evidence, Statement, Visibility};
use crate::name;
use crate::tox_id::ToxId;

/// The bundle of a name, read but not yet believed.
#[derive(Clone, Debug)]
pub struct NameBundle(Bundle);

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
    /// [`BundleError`] for anything else, and beyond [`BUNDLE_BYTES_MAX`](super::BUNDLE_BYTES_MAX).
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        Bundle::parse(bytes, Kind::Name).map(Self)
    }

    /// The signed checkpoint, to be compared with what is remembered of the log. Not verified.
    #[must_use]
    pub fn checkpoint_note(&self) -> String {
        self.0.checkpoint.format()
    }

    /// The key the bundle says it can be checked with; only the JSON form does. Who takes the key
    /// from here trusts whoever sent the bundle.
    #[must_use]
    pub fn claimed_key(&self) -> Option<&VerifierKey> {
        self.0.said.key.as_ref()
    }

    /// Checks the bundle for a name (in any spelling of it) with the log's key. What the JSON form
    /// says in words is compared with what is proven, its `record` excepted, which is for people.
    ///
    /// One signature, about 60 hashes.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn verify(&self, name: &str, key: &VerifierKey) -> Result<Verified, VerifyError> {
        let said = self.0.said.subject.as_ref();
        if said.is_some_and(|said| *said != name::fold(name)) {
            return Err(VerifyError::OtherSubject);
        }
        let proven = self.0.verify(&name::label(name), key)?;
        Ok(Verified {
            checkpoint: proven.checkpoint,
            time_ms: proven.time_ms,
            status: proven.leaf.map_or(Ok(Status::Absent), status)?,
        })
    }
}

fn status(leaf: Leaf) -> Result<Status, VerifyError> {
    let seqno = leaf.seqno;
    let Some(link) = leaf.link else {
        return Ok(Status::Withheld { seqno });
    };
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
