//! Links go to the archive, each after the one before it, which it names.
//!
//! The id of a copy is written once the archive has taken it; until then the outbox tries again. Nothing
//! is enqueued without an archive, and with one every job archives what is still missing before its
//! link.

use crate::dialects::ans104::{LinkDocument, Previous, link_tags};
use crate::engine::Engine;
use crate::error::Internal;
use crate::outbox::Outcome;
use crate::ports::archive::{ArchiveError, ArchiveItem};
use crate::tables::{ARCHIVED, AVATARS, ArchivedRow};
use crate::tx::{Tx, in_tx};
use crate::types::{Avatar, Label, Seqno};

use super::ChainLink;
use super::row::save_in;

/// Archives the first link of an avatar that is not yet, unless all up to `through` are. Two round trips,
/// the upload, two reads, two writes and one fsync.
///
/// # Errors
/// Our own failures, and an archive that refuses the link; then it is tried again later.
pub(crate) async fn archive_next(
    engine: &Engine,
    label: Label,
    through: Seqno,
) -> Result<Outcome, Internal> {
    // Whoever took copies does not any more. Should there be an archive again, it gets the missing
    // links with the next one.
    let Some(archive) = &engine.ports().archive else {
        return Ok(Outcome::Done);
    };
    let claims = engine.claims();
    let Some(row) = claims.avatar_row(label).await? else {
        return Ok(Outcome::Done);
    };
    if row.archived >= through.get() {
        return Ok(Outcome::Done);
    }
    let (last, next) = (row.archived, row.archived.saturating_add(1));
    let mut links = claims.links(&[(label, last), (label, next)]).await?;
    let (link, before) = (links.pop().flatten(), links.pop().flatten());
    let id = match link {
        Some(link) => {
            let item = item(&row.avatar()?, &link, before.as_ref());
            match archive.upload(&item).await {
                Ok(id) => Some(id),
                Err(ArchiveError::Unreachable) => return Ok(Outcome::Failed),
                Err(error @ ArchiveError::Refused(_)) => {
                    return Err(Internal::new("archiving a link", error));
                }
            }
        }
        // An erased link has no copy.
        None => None,
    };
    in_tx!(engine, "archive_link", |tx| note_in(
        tx,
        engine,
        label,
        next,
        id.as_deref()
    )
    .await)?;
    Ok(if next < through.get() {
        Outcome::More
    } else {
        Outcome::Done
    })
}

fn item(avatar: &Avatar, link: &ChainLink, before: Option<&ChainLink>) -> ArchiveItem {
    let before = before.filter(|before| !before.archive_id.is_empty());
    let previous = before.map(|before| Previous {
        uuid: before.uuid,
        arweave_id: &before.archive_id,
    });
    let document = LinkDocument {
        avatar,
        action: link.action,
        platform: &link.service,
        identity: &link.identity,
        alt_id: &link.alt_id,
        proof_location: &link.location,
        created_at: link.created_at,
        signature: &link.signature,
        signature_payload: &link.payload,
        uuid: link.uuid,
        wallet_signature: link.wallet_signature.as_deref(),
        previous,
    };
    ArchiveItem {
        tags: link_tags(link.uuid, document.previous.as_ref()),
        data: document.to_json().into(),
    }
}

/// Notes where a link is archived, unless another worker was first.
async fn note_in(
    tx: &mut Tx<'_>,
    engine: &Engine,
    label: Label,
    seqno: u32,
    id: Option<&str>,
) -> Result<(), Internal> {
    let Some(before) = tx.get(&AVATARS, &label).await? else {
        return Ok(());
    };
    if before.archived.saturating_add(1) != seqno {
        return Ok(());
    }
    let mut after = before.clone();
    after.archived = seqno;
    after.archive_id = id.unwrap_or_default().to_owned();
    if let Some(id) = id {
        let row = ArchivedRow { id: id.to_owned() };
        tx.put(&ARCHIVED, &(label, seqno), &row);
    }
    save_in(tx, engine, label, Some(&before), after);
    Ok(())
}
