//! Bundles of avatars.

use merkle::Hash;
use merkle::note::{Checkpoint, VerifierKey};

use super::{Bundle, BundleError, Kind, VerifyError};
use crate::avatar::Avatar;
use crate::link::Statement;

/// The bundle of an avatar, read but not yet believed.
#[derive(Clone, Debug)]
pub struct AvatarBundle(Bundle);

/// Where the log says that an avatar's chain ends: what [`ChainVerifier`](crate::chain::ChainVerifier)
/// compares a chain with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Whose chain.
    pub avatar: Avatar,
    /// The log this was true in.
    pub checkpoint: Checkpoint,
    /// When that checkpoint's map was made: milliseconds since 1970, by the server's clock.
    pub time_ms: u64,
    /// The chain's newest link; `None` when the avatar has signed nothing.
    pub newest: Option<NewestLink>,
}

/// The newest link of a chain, as far as the map knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestLink {
    /// Its position in the chain, from 1: the count of the links.
    pub seqno: u32,
    /// What the log committed to.
    pub commitment: Hash,
}

impl AvatarBundle {
    /// Reads a bundle, as JSON or as a `.tlog-proof` file. Nothing is verified.
    ///
    /// # Errors
    /// [`BundleError`] for anything else, and beyond [`BUNDLE_BYTES_MAX`](super::BUNDLE_BYTES_MAX).
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        Bundle::parse(bytes, Kind::Avatar).map(Self)
    }

    /// The signed checkpoint, to be compared with what is remembered of the log. Not verified.
    #[must_use]
    pub fn checkpoint_note(&self) -> String {
        self.0.checkpoint.format()
    }

    /// Checks the bundle for an avatar with the log's key. What the JSON form says in words is compared
    /// with what is proven, its `record` excepted. A link that the bundle shows is the one that the log
    /// committed to, and says something of a claim; whether the avatar signed it, the whole chain shows.
    ///
    /// One signature, about 60 hashes.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn verify(&self, avatar: &Avatar, key: &VerifierKey) -> Result<ChainHead, VerifyError> {
        let said = self.0.said.subject.as_ref();
        if said.is_some_and(|said| *said != avatar.to_string()) {
            return Err(VerifyError::OtherSubject);
        }
        let proven = self.0.verify(&avatar.label(), key)?;
        let leaf = proven.leaf;
        let link = leaf.as_ref().and_then(|leaf| leaf.link.as_ref());
        if link.is_some_and(|link| !is_of_a_claim(&link.statement)) {
            return Err(VerifyError::WrongLink);
        }
        Ok(ChainHead {
            avatar: *avatar,
            checkpoint: proven.checkpoint,
            time_ms: proven.time_ms,
            newest: leaf.map(|leaf| NewestLink {
                seqno: leaf.seqno,
                commitment: leaf.commitment,
            }),
        })
    }
}

fn is_of_a_claim(statement: &Statement) -> bool {
    match statement {
        Statement::MakeClaim(_) | Statement::RevokeClaim(_) => true,
        Statement::SetRecord { .. } | Statement::ReleaseHandle | Statement::AddKey(_) => false,
    }
}
