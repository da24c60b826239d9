//! The one way a link comes to be.

use bytes::Bytes;
use merkle::entry::{EntryKind, LogEntry};

use crate::error::Internal;
use crate::log::queue_in;
use crate::ports::store::StoreError;
use crate::tables::{CHAIN_HEADS, ChainHeadRow, LINKS, LinkRow};
use crate::tx::{Queued, Tx};
use crate::types::link::{Evidence, Link, LinkHash, Statement};
use crate::types::{Label, Name, Seqno, UnixMillis};

use super::track;

/// The newest link of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Its position.
    pub seqno: Seqno,
    /// Its commitment.
    pub hash: LinkHash,
}

/// Why a link was not appended.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The protocol's own numbering does not continue.
    #[error("the link does not continue its track")]
    OutOfSequence {
        /// The number the track expects.
        expected: Seqno,
    },
    /// The chain has 2^32 - 1 links.
    #[error("the chain is full")]
    Full,
    /// Our own failure.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl From<StoreError> for ChainError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

impl crate::tx::Refusal for ChainError {
    fn internal(&self) -> Option<&Internal> {
        match self {
            Self::Internal(internal) => Some(internal),
            Self::OutOfSequence { .. } | Self::Full => None,
        }
    }
}

/// What is drawn and read outside the unit of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// Hides the link behind its commitment: 32 random bytes.
    pub(crate) salt: [u8; 32],
    /// When.
    pub(crate) at: UnixMillis,
}

/// Whose chain a link is appended to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'s> {
    pub(crate) label: Label,
    pub(crate) handle: Held<'s>,
}

/// What handle a subject is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held<'s> {
    /// A name that somebody holds once the link is appended; `None` when nobody does.
    Name(Option<&'s Name>),
    /// An avatar key. Its links are told in the feed of changes.
    Avatar {
        /// What is noted beside the link, and is no part of it.
        dnssec: Option<bool>,
    },
}

/// Appends a link: gives it seqno and prev, checks and moves its track, stores its opening, moves
/// the head and queues the log entry. Reads the head (and a track), writes three rows (four).
///
/// # Errors
/// See [`ChainError`].
pub(crate) async fn append_in(
    tx: &mut Tx<'_>,
    subject: Subject<'_>,
    statement: Statement,
    evidence: Evidence,
    stamp: Stamp,
) -> Result<ChainHead, ChainError> {
    let label = subject.label;
    let (is_avatar, name, dnssec) = match subject.handle {
        Held::Name(name) => (false, name.map(|name| name.as_str().to_owned()), None),
        Held::Avatar { dnssec } => (true, None, dnssec),
    };
    let head = head_in(tx, label).await?;
    let seqno = match head {
        Some(head) => head.seqno.next().ok_or(ChainError::Full)?,
        None => Seqno::FIRST,
    };
    if let Evidence::Signed {
        track: Some(step), ..
    } = &evidence
    {
        track::advance_in(tx, label, step).await?;
    }
    let link = Link {
        label,
        seqno,
        prev: head.map(|head| head.hash),
        statement,
        evidence,
        created_at: stamp.at,
    };
    let bytes: Bytes = link.encode();
    let hash = LinkHash(merkle::entry::commit(&stamp.salt, &bytes));
    let row = ChainHeadRow {
        seqno: seqno.get(),
        hash: hash.0.0.to_vec(),
        name,
        is_avatar,
    };
    tx.put(&CHAIN_HEADS, &label, &row);
    tx.create(
        &LINKS,
        &(label, seqno.get()),
        &LinkRow {
            salt: stamp.salt.to_vec(),
            link: bytes,
            dnssec,
        },
    );
    let entry = LogEntry {
        kind: EntryKind::Link,
        label: label.0,
        seqno: seqno.get(),
        commitment: hash.0,
        time_ms: stamp.at.0,
    };
    let is_change = is_avatar;
    queue_in(tx, Queued { entry, is_change });
    Ok(ChainHead { seqno, hash })
}

/// The newest link of a chain; the commit depends on it.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn head_in(
    tx: &mut Tx<'_>,
    label: Label,
) -> Result<Option<ChainHead>, StoreError> {
    let Some(row) = tx.get(&CHAIN_HEADS, &label).await? else {
        return Ok(None);
    };
    let hash = merkle::Hash::from_slice(&row.hash);
    match (Seqno::new(row.seqno), hash) {
        (Some(seqno), Some(hash)) => Ok(Some(ChainHead {
            seqno,
            hash: LinkHash(hash),
        })),
        _ => Err(StoreError::Corrupt("a chain head is malformed".into())),
    }
}

#[cfg(test)]
mod tests;
