//! Copies of links where they last.

use async_trait::async_trait;
use bytes::Bytes;

use crate::dialects::ans104::{SignedItem, Tag};

/// Sends links to an archive that nobody can change, and that may want to be paid.
///
/// An item is signed once, with the server's key for the archive, and so is what carries items there.
/// Both are kept by the caller before anything is sent, and sent as they are however often it takes:
/// an answer that was lost costs nothing. A call that is dropped is given up. Each ends within
/// [`ARCHIVE_TIME`](crate::limits::ARCHIVE_TIME).
#[async_trait]
pub trait Archive: Send + Sync {
    /// Signs an item. Sends nothing; takes some milliseconds of a processor.
    ///
    /// # Errors
    /// [`ArchiveError::Refused`] for an item that cannot be one.
    async fn sign(&self, item: &ArchiveItem) -> Result<SignedItem, ArchiveError>;

    /// Makes what carries items to the archive, in bytes of the archive's own; none where they go as
    /// they are. May ask for a price, but sends and pays nothing.
    ///
    /// # Errors
    /// See [`ArchiveError`].
    async fn pack(&self, items: &[SignedItem]) -> Result<Bytes, ArchiveError>;

    /// Sends a parcel unless the archive has it, or looks what became of it. It may be sent by several
    /// processes at once, and is paid once.
    ///
    /// # Errors
    /// See [`ArchiveError`]; it may have been taken all the same.
    async fn send(&self, parcel: &Parcel) -> Result<Sent, ArchiveError>;
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveItem {
    /// What the item is found by, in order.
    pub tags: Vec<Tag>,
    /// The link, as JSON.
    pub data: Bytes,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Links of one avatar, in order; at least one.
    pub items: Vec<SignedItem>,
    /// What [`Archive::pack`] made for them.
    pub wrapping: Bytes,
}

/// What became of a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is archived for good.
    Kept,
    /// The archive has it, and may still lose it: look again later.
    Pending,
    /// The archive has it not and will not take it in this wrapping any more: its items need another.
    Void,
}

/// Why nothing can be said of a parcel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The archive cannot be reached, or wants to be asked later.
    #[error("the archive cannot be reached")]
    Unreachable,
    /// The archive does not want it, or not from us.
    #[error("the archive refuses: {0}")]
    Refused(String),
}
