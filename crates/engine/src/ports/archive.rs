//! Copies of links where they last.

use async_trait::async_trait;
use bytes::Bytes;

use crate::dialects::ans104::Tag;

/// Sends links to an archive that nobody can change.
///
/// An item is signed with the server's key for the archive, and counts as archived once the archive has
/// taken it. The same link may be sent more than once, when it is not known whether it was taken; any
/// of its copies will do. A call that is dropped is given up.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Signs an item and sends it; answers its id when it was taken. Ends within
    /// [`ARCHIVE_TIME`](crate::limits::ARCHIVE_TIME).
    ///
    /// # Errors
    /// See [`ArchiveError`].
    async fn upload(&self, item: &ArchiveItem) -> Result<String, ArchiveError>;
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveItem {
    /// What the item is found by, in order.
    pub tags: Vec<Tag>,
    /// The link, as JSON.
    pub data: Bytes,
}

/// Why an item was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The archive cannot be reached, or wants to be asked later.
    #[error("the archive cannot be reached")]
    Unreachable,
    /// The archive does not want the item, or not from us.
    #[error("the archive refuses the item: {0}")]
    Refused(String),
}
